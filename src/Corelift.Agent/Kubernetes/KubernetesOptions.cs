using Corelift.Agent.Configuration;

namespace Corelift.Agent.Kubernetes;

/// <summary>Whether the agent talks to a Kubernetes API server.</summary>
internal enum KubernetesMode
{
    /// <summary>Where it finds itself in a pod with a service account, or where an API server is named.</summary>
    Auto,

    /// <summary>Yes; without what that needs it does not start.</summary>
    On,

    /// <summary>No.</summary>
    Off,
}

/// <summary>What is set of Kubernetes.</summary>
internal sealed record KubernetesOptions
{
    /// <summary>The audience that callers' tokens must have been made for, unless another is named.</summary>
    internal const string DefaultAudience = "corelift-agent";

    /// <summary>Whether to use it.</summary>
    internal KubernetesMode Mode { get; init; }

    /// <summary>The API server; null for the one of the pod.</summary>
    internal string? ApiServer { get; init; }

    /// <summary>File with the token that the agent shows it; null for the service account's of the pod.</summary>
    internal string? TokenFile { get; init; }

    /// <summary>File with the certificates of its authorities (PEM); null for the pod's, or, with a named server, the host's.</summary>
    internal string? CaFile { get; init; }

    /// <summary>The node whose pods the agent knows; null for the environment variable NODE_NAME.</summary>
    internal string? NodeName { get; init; }

    /// <summary>The audience that callers' tokens must have been made for.</summary>
    internal string Audience { get; init; } = DefaultAudience;

    /// <summary>Takes them from the agent's settings.</summary>
    internal static KubernetesOptions Read(SettingValues values) => new()
    {
        Mode = values.Get(AgentSettings.Kubernetes) switch
        {
            "on" => KubernetesMode.On,
            "off" => KubernetesMode.Off,
            _ => KubernetesMode.Auto,
        },
        ApiServer = values.Get(AgentSettings.KubernetesApi),
        TokenFile = values.Get(AgentSettings.KubernetesTokenFile),
        CaFile = values.Get(AgentSettings.KubernetesCa),
        NodeName = values.Get(AgentSettings.NodeName),
        Audience = values.Get(AgentSettings.KubernetesAudience) ?? DefaultAudience,
    };
}
