namespace Corelift.Agent.Access;

/// <summary>How a caller proved who it is.</summary>
internal enum CallerKind
{
    /// <summary>Not at all: loopback TCP without TLS.</summary>
    Anonymous,

    /// <summary>By the kernel's word about the other end of a Unix socket.</summary>
    UnixPeer,

    /// <summary>By a client certificate (TLS 1.3).</summary>
    Certificate,

    /// <summary>By a Kubernetes service account's token, which the API server reviewed.</summary>
    ServiceAccount,

    /// <summary>By a JWT of an OpenID Connect issuer.</summary>
    Token,
}

/// <summary>Who makes a call, as verified; a feature of every call that is served.</summary>
/// <param name="Kind">How it was verified.</param>
/// <param name="Name">
/// One name for logs and audit: <c>uid:1000</c>, <c>cert:CN=alice</c>, the SPIFFE ID, <c>system:serviceaccount:NAMESPACE:NAME</c>,
/// <c>oidc:SUBJECT@ISSUER</c>, <c>anonymous</c>. Never longer than 512 characters, no control characters.
/// </param>
internal sealed record Caller(CallerKind Kind, string Name)
{
    /// <summary>Effective uid; of a Unix peer alone.</summary>
    internal uint? Uid { get; init; }

    /// <summary>Effective gid; of a Unix peer alone.</summary>
    internal uint? Gid { get; init; }

    /// <summary>Supplementary groups; of a Unix peer alone.</summary>
    internal IReadOnlyList<uint> Groups { get; init; } = [];

    /// <summary>Distinguished name of a client certificate (RFC 4514), or null.</summary>
    internal string? CertificateSubject { get; init; }

    /// <summary>SPIFFE ID of a client certificate (its one URI SAN with scheme spiffe), or null.</summary>
    internal string? SpiffeId { get; init; }

    /// <summary>Service account as NAMESPACE/NAME, or null.</summary>
    internal string? ServiceAccount { get; init; }

    /// <summary>Issuer of a token, or null.</summary>
    internal string? Issuer { get; init; }

    /// <summary>Claims of a token; those with several values have several.</summary>
    internal IReadOnlyDictionary<string, IReadOnlyList<string>> Claims { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Names of the Kubernetes groups or of a token's groups claim.</summary>
    internal IReadOnlyList<string> GroupNames { get; init; } = [];

    /// <summary>When the proof runs out: streams end then. Null for never.</summary>
    internal DateTimeOffset? ExpiresAt { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
