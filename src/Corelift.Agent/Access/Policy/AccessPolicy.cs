using Corelift.Capture;

namespace Corelift.Agent.Access.Policy;

/// <summary>Who may do what to which targets, and what else an operator decides. What no rule gives is denied.</summary>
internal sealed record AccessPolicy
{
    /// <summary>Default key of a pod's label or annotation by which it opts out.</summary>
    internal const string DefaultOptOutKey = "corelift.dev/snapshot";

    /// <summary>The value of that.</summary>
    internal const string DefaultOptOutValue = "never";

    /// <summary>Of an agent without a policy file: no rules, no limits.</summary>
    internal static AccessPolicy None { get; } = new();

    /// <summary>The rules; one that gives a right is enough.</summary>
    internal IReadOnlyList<PolicyRule> Rules { get; init; } = [];

    /// <summary>Limits that each identity has of its own.</summary>
    internal RateLimits PerIdentity { get; init; } = new();

    /// <summary>Limits that each target has of its own, whoever asks.</summary>
    internal RateLimits PerTarget { get; init; } = new();

    /// <summary>Names of VMAs that are secret, beside MADV_DONTDUMP.</summary>
    internal IReadOnlyList<string> SecretNames { get; init; } = [];

    /// <summary>Keys of labels and annotations by which a pod opts out.</summary>
    internal IReadOnlyList<string> OptOutKeys { get; init; } = [DefaultOptOutKey];

    /// <summary>The value of such a key that means it.</summary>
    internal string OptOutValue { get; init; } = DefaultOptOutValue;

    /// <summary>Whether every stop, capture and memory read needs a reason.</summary>
    internal bool RequiresReason { get; init; }

    /// <summary>Whether nothing is done that the audit log cannot take.</summary>
    internal bool RequiresAudit { get; init; } = true;

    /// <summary>Size at which an audit file is closed and the next one begun.</summary>
    internal long AuditFileBytes { get; init; } = 64L << 20;

    /// <summary>Regular expressions of what is left out of command lines, beside the usual ones.</summary>
    internal IReadOnlyList<string> Redactions { get; init; } = [];
}

/// <summary>One rule.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Line">Where it stands in the file.</param>
/// <param name="Who">Identities; one that fits is enough.</param>
/// <param name="Verbs">What they may do.</param>
/// <param name="Content">The most memory that they may have.</param>
/// <param name="Targets">To what; one that fits is enough. Null for all.</param>
internal sealed record PolicyRule(
    string Name, int Line, IReadOnlyList<IdentityPattern> Who, IReadOnlySet<AccessVerb> Verbs, CaptureContent Content, IReadOnlyList<TargetPattern>? Targets)
{
    /// <summary>Contents in ascending order.</summary>
    private static readonly CaptureContent[] s_order = [CaptureContent.Stacks, CaptureContent.Default, CaptureContent.Full];

    /// <summary>Why the rule does not give the right; null where it does.</summary>
    internal string? Refuses(Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target) =>
        !Who.Any(pattern => pattern.Fits(caller)) ? $"it is not for {caller}"
        : !Verbs.Contains(verb) ? $"it does not give {verb.ToName()}"
        : content is { } wanted && Array.IndexOf(s_order, wanted) > Array.IndexOf(s_order, Content)
            ? $"it gives content {Content.ToString().ToLowerInvariant()} at most"
        : Targets is null ? null
        : target is null ? "it is for certain targets"
        : Targets.Any(pattern => pattern.Refuses(target) is null) ? null
        : string.Join("; ", Targets.Select(pattern => pattern.Refuses(target)!).Distinct());
}

/// <summary>How much is allowed in a time; null for any amount.</summary>
internal sealed record RateLimits
{
    /// <summary>Stops and captures that begin in a minute.</summary>
    internal int? StopsPerMinute { get; init; }

    /// <summary>Time that targets are stopped in a minute.</summary>
    internal TimeSpan? StoppedPerMinute { get; init; }

    /// <summary>Bytes of memory sent in an hour.</summary>
    internal long? BytesPerHour { get; init; }

    /// <summary>Time from the end of a stop or capture to the next.</summary>
    internal TimeSpan? CoolDown { get; init; }

    /// <summary>Stops and captures at once.</summary>
    internal int? AtOnce { get; init; }
}

/// <summary>Names of verbs.</summary>
internal static class AccessVerbs
{
    /// <summary>The verbs by the names that policy files and Kubernetes have for them.</summary>
    internal static IReadOnlyDictionary<string, AccessVerb> ByName { get; } = Enum.GetValues<AccessVerb>().ToDictionary(ToName);

    /// <summary>The name.</summary>
    internal static string ToName(this AccessVerb verb) => verb switch
    {
        AccessVerb.Inspect => "inspect",
        AccessVerb.Stop => "stop",
        AccessVerb.Snapshot => "snapshot",
        _ => "snapshot-secrets",
    };
}
