using System.CommandLine;

namespace Corelift.Agent.Kubernetes;

/// <summary>The options of the command line that are about Kubernetes.</summary>
internal static class KubernetesCommand
{
    private const int LongestAudience = 512;

    private static readonly Option<string> s_mode = new("--kubernetes")
    {
        Description = "Ask the Kubernetes API server which pod a process is in, and who calls: auto (where the agent runs in a pod with a service account), on or off",
        DefaultValueFactory = _ => "auto",
        Recursive = true,
    };

    private static readonly Option<string?> s_server = Text("--kubernetes-api", "URL", "The API server [default: the pod's, by KUBERNETES_SERVICE_HOST]");
    private static readonly Option<string?> s_token = Text("--kubernetes-token-file", "FILE", "Token for the API server, read at each request [default: the pod's service account]");
    private static readonly Option<string?> s_ca = Text("--kubernetes-ca", "FILE", "Authorities of the API server's certificate, read at each handshake [default: the pod's service account]");
    private static readonly Option<string?> s_node = Text("--node-name", "NAME", "The node whose pods are known [default: environment variable NODE_NAME]");

    private static readonly Option<string> s_audience = new("--kubernetes-audience")
    {
        Description = "Audience that callers' service account tokens must have been made for",
        HelpName = "TEXT",
        DefaultValueFactory = _ => KubernetesOptions.DefaultAudience,
        Recursive = true,
    };

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<Option> Options { get; } = [s_mode, s_server, s_token, s_ca, s_node, s_audience];

    /// <summary>Rules over their values; once, before the first parse.</summary>
    internal static void AddRules()
    {
        s_mode.AcceptOnlyFromAmong("auto", "on", "off");
        s_audience.Validators.Clear();
        s_audience.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value is { Length: 0 or > LongestAudience })
            {
                result.AddError($"{s_audience.Name} takes 1 to {LongestAudience} characters");
            }
        });
    }

    /// <summary>Their values.</summary>
    internal static KubernetesOptions Read(ParseResult result) => new()
    {
        Mode = result.GetValue(s_mode) switch
        {
            "on" => KubernetesMode.On,
            "off" => KubernetesMode.Off,
            _ => KubernetesMode.Auto,
        },
        ApiServer = result.GetValue(s_server),
        TokenFile = result.GetValue(s_token),
        CaFile = result.GetValue(s_ca),
        NodeName = result.GetValue(s_node),
        Audience = result.GetValue(s_audience) ?? KubernetesOptions.DefaultAudience,
    };

    private static Option<string?> Text(string name, string helpName, string description) =>
        new(name) { Description = description, HelpName = helpName, Recursive = true };
}
