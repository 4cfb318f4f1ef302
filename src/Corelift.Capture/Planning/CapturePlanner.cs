using System.Globalization;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Planning;

/// <summary>What the agent has to spend on a capture.</summary>
/// <param name="SpoolBytes">Most memory or disk for what strategy direct copies.</param>
/// <param name="PauseCopyLimitBytes">Most bytes that strategy fork copies in the pause.</param>
/// <param name="Tracking">What strategy precopy is to be had by: kernel, sink, and nothing found against it before.</param>
internal sealed record CaptureResources(long SpoolBytes, long PauseCopyLimitBytes, WriteTracking Tracking);

/// <summary>Chooses a strategy from facts, with its reasons, and refuses rather than harm the target.</summary>
internal static class CapturePlanner
{
    // Cost model of a stop, measured on one machine (2 CPUs, Linux 6.18) and rounded up: what counts is the order.
    private const double PerThreadMicroseconds = 40;
    private const double PerVmaMicroseconds = 2;
    private const double ForkPerGibibyteMilliseconds = 30;
    private const double CopyPerGibibyteMilliseconds = 450;
    private const double StreamPerGibibyteMilliseconds = 3000;
    private const double ScanPerGibibyteMilliseconds = 0.6;
    private const double SoftDirtyPerGibibyteMilliseconds = 7;      // of pages that exist; to look at the bits, or to reset them
    private const double SoftDirtyHolesPerGibibyteMilliseconds = 1; // of address space
    private const double LiveReadPerGibibyteMilliseconds = 500;
    private const double FixedMilliseconds = 1;
    private const double GibiByte = 1L << 30;
    private const ulong LeastTasksLeft = 8; // before an image, which stays for as long as the client takes

    /// <summary>Plans a capture.</summary>
    /// <exception cref="CaptureException">The caller asked for what is not safe, or the estimate is above the budget.</exception>
    internal static CapturePlan Plan(TargetFacts facts, CaptureRequest request, CaptureResources resources, bool refuse)
    {
        var selector = new ContentSelector(new SelectionInput
        {
            Content = request.Content,
            CoredumpFilter = facts.CoredumpFilter,
            IsCoreClr = facts.IsCoreClr,
            Secrets = request.Secrets,
        });
        CaptureBytesByKind bytes = CaptureBytesByKind.Sum(facts.Vmas, selector, facts.Status.ThreadCount, request.Content);
        var reasons = new List<string>();
        var warnings = new List<string>();
        CaptureStrategy strategy = Choose(facts, request, bytes, resources, reasons);
        bool streams = strategy == CaptureStrategy.Direct && (long)bytes.Total > resources.SpoolBytes;
        if (streams)
        {
            reasons.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{ToMebibytes(bytes.Total)} MiB do not fit the spool of {ToMebibytes((ulong)resources.SpoolBytes)} MiB, so they are streamed while the target is stopped"));
        }

        TimeSpan pause = Estimate(facts, strategy, streams, bytes, request, resources.Tracking);
        AddWarnings(strategy, bytes, request, warnings);
        if (strategy == CaptureStrategy.Precopy && resources.Tracking == WriteTracking.SoftDirty)
        {
            warnings.Add(SoftDirtyWarning(facts));
        }

        if (refuse && pause > request.StopBudget)
        {
            throw new CaptureException(
                CaptureFailure.EstimateAboveStopBudget,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the target would be stopped for about {pause.TotalMilliseconds:F0} ms, and the stop budget is {request.StopBudget.TotalMilliseconds:F0} ms: raise the budget, ask for less content, or for another strategy"));
        }

        return new CapturePlan
        {
            Strategy = strategy,
            StreamsWhileStopped = streams,
            Reasons = reasons,
            Warnings = warnings,
            EstimatedPause = pause,
            AnonymousBytes = bytes.Anonymous,
            FileBytes = bytes.File,
            SharedBytes = bytes.Shared,
            PauseCopyBytes = bytes.PauseCopy,
            ThreadCount = facts.Status.ThreadCount,
            VmaCount = facts.Vmas.Count,
        };
    }

    /// <summary>A plan for strategy precopy with what a tracking round found.</summary>
    internal static CapturePlan WithRate(CapturePlan plan, ulong bytesPerSecond, WriteTracking tracking)
    {
        // Between the last copy before the stop and the stop; by soft-dirty bits, all the while that the memory is read.
        double lastLookMilliseconds = tracking == WriteTracking.SoftDirty ? plan.TotalBytes / GibiByte * LiveReadPerGibibyteMilliseconds : 3;
        double copy = Math.Min(bytesPerSecond * lastLookMilliseconds / 1000, plan.TotalBytes) / GibiByte * CopyPerGibibyteMilliseconds;
        string found = string.Create(
            CultureInfo.InvariantCulture, $"precopy: the target writes {bytesPerSecond / 1e6:F0} MB/s to memory that it had not just written to");
        return plan with
        {
            DirtyBytesPerSecond = bytesPerSecond,
            EstimatedPause = plan.EstimatedPause + TimeSpan.FromMilliseconds(copy),
            Reasons = [.. plan.Reasons, found],
        };
    }

    /// <summary>Why a fork image must not be made of this target, or null.</summary>
    internal static string? ForkHazard(TargetFacts facts)
    {
        if (facts.NoCallsBecause is { } reason)
        {
            return reason;
        }

        if (facts.Vmas.Any(v => (v.Flags & VmaKernelFlags.HugeTlb) != 0 && !v.Vma.IsShared))
        {
            return "the target has private hugetlb memory: a fork could take the huge page of its next write";
        }

        if (facts.Status.PinnedBytes > 0)
        {
            return "a driver has pinned pages of the target: a fork may part it from them";
        }

        if (facts.Status.ThreadFeatures.Contains("shstk", StringComparison.Ordinal))
        {
            return "the target runs with a shadow stack, which a remote call would have to match";
        }

        ulong? tasks = CgroupHeadroom.ReadTasks(facts.Directory);
        if (tasks < LeastTasksLeft)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"the target's cgroup may have only {tasks} more tasks (pids.max): an image could take the one that the target wants next");
        }

        ulong needed = (facts.Status.ResidentAnonymousBytes / 8) + (64UL << 20) + (2 * facts.Status.PageTableBytes);
        ulong? headroom = CgroupHeadroom.ReadMemory(facts.Directory);
        return headroom < needed
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"the target's memory cgroup has only {ToMebibytes(headroom.Value)} MiB left, and copies of pages it writes to would be charged to it")
            : null;
    }

    private static CaptureStrategy Choose(
        TargetFacts facts, CaptureRequest request, CaptureBytesByKind bytes, CaptureResources resources, List<string> reasons)
    {
        if (request.Strategy == CaptureStrategy.Precopy)
        {
            reasons.Add("precopy was asked for");
            return PrecopyObstacle(facts, request, resources) is not { } obstacle
                ? CaptureStrategy.Precopy
                : throw new CaptureException(
                    CaptureFailure.PrecopyNotPossible, $"{obstacle}: ask for strategy fork or direct, or let the agent choose");
        }

        string? hazard = ForkHazard(facts);
        if (request.Strategy == CaptureStrategy.Fork)
        {
            reasons.Add("fork was asked for");
            return hazard is null
                ? CaptureStrategy.Fork
                : throw new CaptureException(CaptureFailure.ForkNotSafe, $"{hazard}: ask for strategy direct, or let the agent choose");
        }

        if (request.Strategy == CaptureStrategy.Direct)
        {
            reasons.Add("direct was asked for");
            return CaptureStrategy.Direct;
        }

        if (TryPrecopy(facts, request, bytes, resources, reasons))
        {
            return CaptureStrategy.Precopy;
        }

        if (hazard is not null)
        {
            reasons.Add($"direct: {hazard}");
            return CaptureStrategy.Direct;
        }

        double direct = bytes.Total / GibiByte * CopyPerGibibyteMilliseconds;
        double fork = ForkMilliseconds(facts);
        if (direct < fork)
        {
            reasons.Add("direct: there is so little to copy that it takes less time than a fork");
            return CaptureStrategy.Direct;
        }

        reasons.Add("fork: nothing forbids it, and the target is stopped only while its page tables are copied");
        return CaptureStrategy.Fork;
    }

    private static bool TryPrecopy(
        TargetFacts facts, CaptureRequest request, CaptureBytesByKind bytes, CaptureResources resources, List<string> reasons)
    {
        string? obstacle = PrecopyObstacle(facts, request, resources)
            ?? (request.Content == CaptureContent.Stacks ? "there is little to read beforehand for content stacks" : null)
            ?? PrecopyHazards.FindDoubt(facts);
        if (obstacle is not null)
        {
            reasons.Add($"not precopy: {obstacle}");
            return false;
        }

        double precopy = PrecopyMilliseconds(facts, bytes, request, resources.Tracking);
        if (bytes.Total / GibiByte * CopyPerGibibyteMilliseconds < precopy)
        {
            return false; // so little that it is copied at once
        }

        if (resources.Tracking == WriteTracking.SoftDirty && precopy > ForkMilliseconds(facts) && ForkHazard(facts) is null)
        {
            reasons.Add("not precopy: this kernel has soft-dirty bits alone, and to look at those of so much address space takes longer than a fork");
            return false;
        }

        reasons.Add("precopy: memory is read while the target runs, and only what it writes meanwhile is copied while it is stopped");
        return true;
    }

    private static string? PrecopyObstacle(TargetFacts facts, CaptureRequest request, CaptureResources resources) =>
        !request.SinkCanSeek ? "its core is written in any order, and this client's destination cannot seek"
        : resources.Tracking == WriteTracking.None ? "this kernel does not track writes for other processes (userfaultfd with WP_ASYNC and PAGEMAP_SCAN, or soft-dirty bits)"
        : PrecopyHazards.Find(facts) ?? (resources.Tracking == WriteTracking.SoftDirty ? PrecopyHazards.FindForSoftDirty(facts) : null);

    private static double PrecopyMilliseconds(TargetFacts facts, CaptureBytesByKind bytes, CaptureRequest request, WriteTracking tracking) =>
        (tracking == WriteTracking.SoftDirty
            ? SoftDirtyMilliseconds(facts) + (facts.Vmas.Sum(v => v.Vma.IsShared ? 0 : (double)v.Vma.LengthBytes) / GibiByte * SoftDirtyHolesPerGibibyteMilliseconds)
            : MappedGibibytes(facts) * ScanPerGibibyteMilliseconds)
        + (Math.Min(bytes.Shared, (ulong)request.PrecopyCopyLimitBytes) / GibiByte * CopyPerGibibyteMilliseconds);

    private static double SoftDirtyMilliseconds(TargetFacts facts) => MappedGibibytes(facts) * SoftDirtyPerGibibyteMilliseconds;

    private static string SoftDirtyWarning(TargetFacts facts) => string.Create(
        CultureInfo.InvariantCulture,
        $"this kernel tracks writes by soft-dirty bits alone: while they are reset, before anything is read, whoever of the target makes a page fault waits, {SoftDirtyMilliseconds(facts):F1} ms at most by estimate");

    /// <summary>As much as its page tables have entries for, of 4 KiB pages.</summary>
    private static double MappedGibibytes(TargetFacts facts) => facts.Status.PageTableBytes * 512.0 / GibiByte;

    /// <summary>Estimate of what a fork of the target takes.</summary>
    internal static double ForkMilliseconds(TargetFacts facts) =>
        FixedMilliseconds + (MappedGibibytes(facts) * ForkPerGibibyteMilliseconds)
        + (facts.Vmas.Count * PerVmaMicroseconds / 1000);

    private static TimeSpan Estimate(
        TargetFacts facts, CaptureStrategy strategy, bool streams, CaptureBytesByKind bytes, CaptureRequest request, WriteTracking tracking)
    {
        double milliseconds = FixedMilliseconds
            + (facts.Status.ThreadCount * PerThreadMicroseconds / 1000)
            + (facts.Vmas.Count * PerVmaMicroseconds / 1000);
        milliseconds += strategy == CaptureStrategy.Precopy
            ? PrecopyMilliseconds(facts, bytes, request, tracking)
            : strategy == CaptureStrategy.Fork
            ? ForkMilliseconds(facts) + (Math.Min(bytes.PauseCopy, (ulong)request.PauseCopyLimitBytes) / GibiByte * CopyPerGibibyteMilliseconds)
            : bytes.Total / GibiByte * (streams ? StreamPerGibibyteMilliseconds : CopyPerGibibyteMilliseconds);
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    private static void AddWarnings(CaptureStrategy strategy, CaptureBytesByKind bytes, CaptureRequest request, List<string> warnings)
    {
        if (strategy == CaptureStrategy.Fork && bytes.PauseCopy > (ulong)request.PauseCopyLimitBytes)
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{ToMebibytes(bytes.PauseCopy)} MiB of shared or unforkable memory do not fit the {ToMebibytes((ulong)request.PauseCopyLimitBytes)} MiB that are copied in the pause: the rest is read later, or left out, and labelled"));
        }
        else if (strategy == CaptureStrategy.Precopy && bytes.Shared > (ulong)request.PrecopyCopyLimitBytes)
        {
            warnings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{ToMebibytes(bytes.Shared)} MiB of shared memory are read while the target runs: what it writes itself is of the instant, what others write is as it was when it was read"));
        }
        else if (bytes.Shared > 0)
        {
            warnings.Add("shared memory is copied while the target is stopped, but other processes may write to it meanwhile");
        }
    }

    private static ulong ToMebibytes(ulong bytes) => (bytes + (1UL << 19)) >> 20;
}
