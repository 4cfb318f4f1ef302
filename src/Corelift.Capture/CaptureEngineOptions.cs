using Corelift.Linux.Memory;

namespace Corelift.Capture;

/// <summary>Budgets of an agent. Everything a client asks for is cut to these.</summary>
public sealed record CaptureEngineOptions
{
    /// <summary>Longest time for an <see cref="ApproveTarget"/>: the target is seized meanwhile, though it runs.</summary>
    public static TimeSpan DecisionPatience { get; } = TimeSpan.FromSeconds(5);

    /// <summary>Directory for the journal of images, or null to keep none.</summary>
    public string? StateDirectory { get; init; }

    /// <summary>Stop budget where the client names none.</summary>
    public TimeSpan DefaultStopBudget { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Largest stop budget.</summary>
    public TimeSpan MaxStopBudget { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Lease where the client names none.</summary>
    public TimeSpan DefaultLease { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest time to live of a lease.</summary>
    public TimeSpan MaxLease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time a lease can last in all.</summary>
    public TimeSpan MaxHold { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Bytes that strategy fork copies in the pause where the client names none.</summary>
    public long DefaultPauseCopyLimitBytes { get; init; } = 64L << 20;

    /// <summary>Bytes of shared memory that strategy precopy copies in the pause where the client names none.</summary>
    public long DefaultPrecopyCopyLimitBytes { get; init; } = 4L << 20;

    /// <summary>How the kernel tracks writes to another process's memory: strategy precopy needs that.</summary>
    public WriteTracking Tracking { get; init; }

    /// <summary>Most memory for strategy direct's spool; 0 takes a quarter of what is available when it is needed.</summary>
    public long SpoolBytes { get; init; }

    /// <summary>Directory for a spool on disk, unlinked from birth; null forbids one.</summary>
    public string? SpoolDirectory { get; init; }

    /// <summary>Most captures and leases at once.</summary>
    public int MaxCaptures { get; init; } = 32;

    /// <summary>Longest time for one capture, its client's reading included.</summary>
    public TimeSpan MaxCaptureTime { get; init; } = TimeSpan.FromHours(2);

    /// <summary>The largest target.</summary>
    public TargetLimits Limits { get; init; } = new();
}
