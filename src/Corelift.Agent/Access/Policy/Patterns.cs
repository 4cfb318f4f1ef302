using Corelift.Capture.Planning;

namespace Corelift.Agent.Access.Policy;

/// <summary>Which callers a rule is for: all that is said must fit. At least one thing is said.</summary>
internal sealed record IdentityPattern
{
    /// <summary>Effective uid of a Unix peer.</summary>
    internal uint? Uid { get; init; }

    /// <summary>A group of a Unix peer, the effective or a supplementary one.</summary>
    internal uint? Gid { get; init; }

    /// <summary>Subject of a client certificate (RFC 4514), whole.</summary>
    internal string? CertificateSubject { get; init; }

    /// <summary>SPIFFE ID of a client certificate; a <c>*</c> at its end stands for any text.</summary>
    internal string? SpiffeId { get; init; }

    /// <summary>NAMESPACE/NAME of a service account.</summary>
    internal string? ServiceAccount { get; init; }

    /// <summary>Name of a Kubernetes group, or of a token's.</summary>
    internal string? Group { get; init; }

    /// <summary>Issuer of a token, whole. Never without it where claims are asked for.</summary>
    internal string? Issuer { get; init; }

    /// <summary>Claims of a token, each with a value that must be among the token's.</summary>
    internal IReadOnlyDictionary<string, string> Claims { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether it is for callers who proved nothing.</summary>
    internal bool IsAnonymous { get; init; }

    /// <summary>Whether a caller fits.</summary>
    internal bool Fits(Caller caller) =>
        IsAnonymous == (caller.Kind == CallerKind.Anonymous)
        && (Uid is not uint uid || (caller.Kind == CallerKind.UnixPeer && caller.Uid == uid))
        && (Gid is not uint gid || (caller.Kind == CallerKind.UnixPeer && (caller.Gid == gid || caller.Groups.Contains(gid))))
        && (CertificateSubject is null || (caller.Kind == CallerKind.Certificate && caller.CertificateSubject == CertificateSubject))
        && (SpiffeId is null || (caller.Kind == CallerKind.Certificate && caller.SpiffeId is { } id && NamePattern.Fits(SpiffeId, id)))
        && (ServiceAccount is null || (caller.Kind == CallerKind.ServiceAccount && caller.ServiceAccount == ServiceAccount))
        && (Group is null || caller.GroupNames.Contains(Group, StringComparer.Ordinal))
        && (Issuer is null || (caller.Kind == CallerKind.Token && caller.Issuer == Issuer))
        && Claims.All(claim => caller.Claims.GetValueOrDefault(claim.Key)?.Contains(claim.Value, StringComparer.Ordinal) == true);
}

/// <summary>Which targets a rule is for: all that is said must fit. Nothing said fits every target.</summary>
internal sealed record TargetPattern
{
    /// <summary>Namespaces of the pod, patterns.</summary>
    internal IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>Labels of the pod.</summary>
    internal IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Names of the container, patterns.</summary>
    internal IReadOnlyList<string> Containers { get; init; } = [];

    /// <summary>Uids; real, effective, saved and file system uid must all be among them.</summary>
    internal IReadOnlyList<uint> Uids { get; init; } = [];

    /// <summary>Paths of the executable, patterns.</summary>
    internal IReadOnlyList<string> Executables { get; init; } = [];

    /// <summary>Paths of the cgroup, patterns.</summary>
    internal IReadOnlyList<string> Cgroups { get; init; } = [];

    /// <summary>Why a target does not fit; null where it does.</summary>
    internal string? Refuses(TargetIdentity target) =>
        Namespaces.Count > 0 && !FitsAny(Namespaces, target.Pod?.Namespace) ? $"its namespace is {target.Pod?.Namespace ?? "none"}"
        : Labels.FirstOrDefault(label => target.Pod?.Labels.GetValueOrDefault(label.Key) != label.Value) is { Key: not null } label
            ? $"its pod has no label {label.Key}={label.Value}"
        : Containers.Count > 0 && !FitsAny(Containers, target.Pod?.Container) ? $"its container is {target.Pod?.Container ?? "none"}"
        : Uids.Count > 0 && !target.Uids.All(Uids.Contains) ? $"its uids are {string.Join(", ", target.Uids.Distinct())}"
        : Executables.Count > 0 && !FitsAny(Executables, target.Executable) ? $"its executable is {target.Executable}"
        : Cgroups.Count > 0 && !FitsAny(Cgroups, target.Cgroup) ? $"its cgroup is {target.Cgroup}"
        : null;

    private static bool FitsAny(IReadOnlyList<string> patterns, string? text) =>
        text is not null && patterns.Any(pattern => NamePattern.Fits(pattern, text));
}
