using System.Security.Cryptography.X509Certificates;

namespace Corelift.Cli.Cluster;

/// <summary>Where an API server is, whom to take for it, and who one is to it.</summary>
internal sealed record ClusterAccess
{
    /// <summary>Its address; may have a path.</summary>
    public required Uri Server { get; init; }

    /// <summary>Namespace where the user names none.</summary>
    public required string Namespace { get; init; }

    /// <summary>What the user calls it, for messages: "context 'shop'", "the pod's service account".</summary>
    public required string Origin { get; init; }

    /// <summary>CAs that its certificate must come from; null for those of this host.</summary>
    public X509Certificate2Collection? Authorities { get; init; }

    /// <summary>Whether any certificate will do (insecure-skip-tls-verify).</summary>
    public bool TakesAnyCertificate { get; init; }

    /// <summary>Name in its certificate, where it is not the address's host.</summary>
    public string? ServerName { get; init; }

    /// <summary>Proxy on the way; null for what the environment says.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Whether this program runs in a pod of that cluster, so that it can reach others by their address.</summary>
    public bool IsInside { get; init; }

    /// <summary>Who one is.</summary>
    public required ClusterUser User { get; init; }
}

/// <summary>Who one is to an API server.</summary>
internal sealed record ClusterUser
{
    /// <summary>Reads or makes the bearer token; null for none.</summary>
    public Func<string>? Token { get; init; }

    /// <summary>Certificate with its key, and those between it and its CA; null for none.</summary>
    public X509Certificate2Collection? Certificate { get; init; }

    /// <summary>Headers of impersonation.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Impersonation { get; init; } = [];
}
