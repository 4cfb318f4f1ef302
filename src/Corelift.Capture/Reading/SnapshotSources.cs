using Corelift.Capture.Planning;
using Corelift.Capture.Sessions;
using Corelift.Capture.Worker;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Reading;

/// <summary>Where the bytes of a snapshot come from.</summary>
internal sealed class SnapshotSources : IDisposable
{
    internal required IReadOnlyList<CaptureRegion> Regions { get; init; }

    internal required IReadOnlyList<Vma> Vmas { get; init; }

    /// <summary>What was copied in the pause, where something was; it lies in <see cref="Report"/>.</summary>
    internal ExtentTable? Extents { get; init; }

    internal SharedBuffer? Report { get; init; }

    internal UnreadableRun[] Unreadable { get; init; } = [];

    /// <summary>Strategy precopy: what differs from what the live rounds read, in ascending order.</summary>
    internal PageRun[] Written { get; init; } = [];

    /// <summary>Strategy precopy: what tells which pages were written to.</summary>
    internal WriteTracking Tracking { get; init; }

    /// <summary>Strategy precopy: what the live rounds read.</summary>
    internal LiveCoverage? Live { get; init; }

    /// <summary>What was copied in the pause, in a buffer that is shared.</summary>
    internal SharedBuffer? PauseCopy { get; init; }

    /// <summary>The same in memory of the worker's.</summary>
    internal WorkerCopy? WorkerCopy { get; init; }

    internal SafeFileHandle? Memory { get; init; }

    internal SafeFileHandle? Pagemap { get; init; }

    internal SafeFileHandle? LiveMemory { get; init; }

    internal SafeFileHandle? LivePagemap { get; init; }

    /// <summary>The target's /proc directory, by whose root its mapped files are opened.</summary>
    internal ProcessDirectory? Directory { get; init; }

    /// <summary>Files that the target maps.</summary>
    internal MappedFiles Files => field ??= new MappedFiles(Directory);

    internal ulong ScratchStart { get; init; }

    internal ulong ScratchEnd { get; init; }

    /// <summary>Looks after a target whose image is read; null where there is no image.</summary>
    internal ImageGuard? Guard { get; init; }

    /// <summary>The lease that the target is stopped under, and that the descriptors are of; null without one.</summary>
    internal StopLease? Lease { get; init; }

    internal bool IsLease => Lease is not null;

    /// <summary>The parts of written runs that lie in a range.</summary>
    internal IEnumerable<PageRun> WrittenIn(ulong start, ulong end)
    {
        int low = 0;
        int high = Written.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = Written[middle].End <= start ? (middle + 1, high) : (low, middle);
        }

        for (; low < Written.Length && Written[low].Start < end; low++)
        {
            yield return new PageRun(Math.Max(start, Written[low].Start), Math.Min(end, Written[low].End));
        }
    }

    internal IEnumerable<UnreadableRun> UnreadableIn(ulong start, ulong end) =>
        Unreadable.Length == 0 ? [] : Unreadable.Where(r => r.Start >= start && r.End <= end);

    public void Dispose()
    {
        Guard?.Dispose();
        Files.Dispose();
        PauseCopy?.Dispose();
        WorkerCopy?.Dispose();
        Report?.Dispose();
        Directory?.Dispose();
        if (!IsLease)
        {
            Memory?.Dispose();
            Pagemap?.Dispose();
            LiveMemory?.Dispose();
            LivePagemap?.Dispose();
        }
    }
}
