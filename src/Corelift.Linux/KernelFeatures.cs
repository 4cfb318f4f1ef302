using Corelift.Linux.Memory;

namespace Corelift.Linux;

/// <summary>Whether the kernel has something, as far as a probe could tell.</summary>
public enum FeatureState
{
    /// <summary>The probe itself was refused.</summary>
    Unknown,

    /// <summary>It is there.</summary>
    Present,

    /// <summary>It is not, or a seccomp filter of the agent's says so.</summary>
    Missing,
}

/// <summary>What this kernel can do for this process. Every entry was tried; versions are never compared.</summary>
public sealed record KernelFeatures
{
    /// <summary>pidfd_open(2): holds a process against reuse of its pid.</summary>
    public FeatureState PidfdOpen { get; init; }

    /// <summary>pidfd_getfd(2): takes over descriptors that a remote call opened.</summary>
    public FeatureState PidfdGetfd { get; init; }

    /// <summary>close_range(2), which has had CLOSE_RANGE_UNSHARE from the first: empties a fork image's descriptor table.</summary>
    public FeatureState CloseRange { get; init; }

    /// <summary>PAGEMAP_SCAN: lists pages that exist without a look at each.</summary>
    public FeatureState PagemapScan { get; init; }

    /// <summary>Userfaultfd with asynchronous write protection: what strategy precopy tracks writes by.</summary>
    public FeatureState WriteProtectAsync { get; init; }

    /// <summary>Soft-dirty bits of pagemap: the other way to track writes.</summary>
    public FeatureState SoftDirty { get; init; }

    /// <summary>What strategy precopy tracks writes by, the better one where there are both.</summary>
    public WriteTracking Tracking =>
        this is { WriteProtectAsync: FeatureState.Present, PagemapScan: FeatureState.Present } ? WriteTracking.Protection
        : SoftDirty == FeatureState.Present ? WriteTracking.SoftDirty
        : WriteTracking.None;

    /// <summary>process_vm_readv(2).</summary>
    public FeatureState ProcessVmReadv { get; init; }

    /// <summary>move_pages(2) as a question: which pages are present.</summary>
    public FeatureState MovePages { get; init; }

    /// <summary>Whether a mem file reads pages that the target itself may not read, even when nobody traces.</summary>
    public FeatureState ForcedMemRead { get; init; }

    /// <summary>Whether a thread may raise itself to SCHED_FIFO; a v1 cpu cgroup without real-time budget refuses.</summary>
    public FeatureState RealTimePriority { get; init; }

    /// <summary>kernel.yama.ptrace_scope, or null without Yama. 3 forbids all tracing, whatever the capabilities.</summary>
    public int? YamaPtraceScope { get; init; }

    /// <summary>
    /// Tries everything. Before the process makes itself non-dumpable: after that its own /proc files are root's. Leaves
    /// nothing behind, and touches no other process.
    /// </summary>
    public static KernelFeatures Probe() => FeatureProbes.Run();

    /// <summary>One line for a log: what is there, what is missing, what could not be told.</summary>
    public override string ToString()
    {
        (string Name, FeatureState State)[] all =
        [
            ("pidfd_open", PidfdOpen), ("pidfd_getfd", PidfdGetfd), ("close_range", CloseRange), ("PAGEMAP_SCAN", PagemapScan),
            ("userfaultfd-WP_ASYNC", WriteProtectAsync), ("soft-dirty", SoftDirty), ("process_vm_readv", ProcessVmReadv),
            ("move_pages", MovePages), ("forced-mem-read", ForcedMemRead), ("SCHED_FIFO", RealTimePriority),
        ];
        var parts = new List<string>();
        foreach (FeatureState state in (FeatureState[])[FeatureState.Present, FeatureState.Missing, FeatureState.Unknown])
        {
            string[] names = [.. all.Where(feature => feature.State == state).Select(feature => feature.Name)];
            if (names.Length > 0)
            {
                parts.Add($"{state.ToString().ToLowerInvariant()}: {string.Join(' ', names)}");
            }
        }

        parts.Add(YamaPtraceScope is int scope ? $"yama ptrace_scope {scope}" : "no yama");
        return string.Join("; ", parts);
    }
}
