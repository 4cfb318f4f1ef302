namespace Corelift.Elf;

/// <summary>How bad a finding is.</summary>
public enum CoreFindingSeverity
{
    /// <summary>Worth knowing; nothing is wrong.</summary>
    Information,

    /// <summary>A reader may miss something.</summary>
    Warning,

    /// <summary>The core is not whole, or readers will refuse or misread it.</summary>
    Error,
}

/// <summary>One thing that a check found.</summary>
/// <param name="Severity">How bad it is.</param>
/// <param name="Kind">Stable short name of the check ("load-bounds", "thread-status" ...), for programs.</param>
/// <param name="Message">One sentence for people. Parts of it may come from the file, which is not trusted.</param>
public sealed record CoreFinding(CoreFindingSeverity Severity, string Kind, string Message);

/// <summary>What <see cref="CoreVerifier"/> found.</summary>
/// <param name="Findings">In the order of the checks; at most <see cref="CoreLimits.MaxFindingsPerKind"/> and a sum per kind.</param>
/// <param name="Record">The vendor note, or null where there is none that can be read.</param>
public sealed record CoreVerification(IReadOnlyList<CoreFinding> Findings, SnapshotRecord? Record)
{
    /// <summary>Whether no finding is an error.</summary>
    public bool IsSound => Findings.All(f => f.Severity != CoreFindingSeverity.Error);
}
