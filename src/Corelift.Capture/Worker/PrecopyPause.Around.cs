using System.Runtime.InteropServices;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <content>Before the stop, copies at the speed of memory; and in it, an image where copying would take longer.</content>
internal sealed partial class PrecopyPause
{
    private const long LittleBytes = 256L << 10;
    private const int MostLocalRounds = 16;
    private const double EnoughShrinking = 0.7;
    private const int MostStalls = 3;
    private const int LocalNice = -5;

    /// <summary>
    /// Copies what the target writes while it runs, again and again: at the speed of memory, so what is left shrinks to what it
    /// writes in a millisecond or two. Not where the writes are tracked by soft-dirty bits: they cannot be reset for what was copied.
    /// </summary>
    internal void CopyWhileRunning()
    {
        SelfControl.SetNice(LocalNice); // on a busy host the target would write faster than we get to copy
        Copy(_memory.TakenLocally); // by an earlier try, whose copies are gone
        Measure();
        long last = long.MaxValue;
        int mostRounds = _memory.Tracker.Tracking == WriteTracking.SoftDirty ? 0 : MostLocalRounds;
        for (int round = 0, stalls = 0; round < mostRounds && stalls < MostStalls; round++)
        {
            if (_leftBytes > Buffer.LengthBytes - _copier.UsedBytes)
            {
                Measure(); // a round leaves less than it took
            }

            if (_leftBytes <= LittleBytes || _leftBytes > Buffer.LengthBytes - _copier.UsedBytes)
            {
                break;
            }

            _leftBytes = TakeAndCopy();
            stalls += _leftBytes > last * EnoughShrinking ? 1 : 0;
            last = _leftBytes;
        }

        SelfControl.SetNice(0);
    }

    /// <summary>
    /// In the moment before the stop, when the target still runs. Not where much was written: there the pause is the copying, and the
    /// look would only make it more.
    /// </summary>
    internal void GetReady()
    {
        if (_leftBytes <= LittleBytes)
        {
            Check(_scanner.ScanByAll());
        }

        _scanner.RaisePriority();
    }

    private void Measure()
    {
        Check(_scanner.Scan());
        _leftBytes = (long)_scanner.Present.TotalBytes;
    }

    /// <summary>
    /// A slice after the other, so that the time for which a page's copy ages is half of the round's. To take costs the most: the
    /// kernel flushes TLBs, on other CPUs by interrupts, for every page table in which it protects a page (20 us each in a virtual
    /// machine; fs/proc/task_mmu.c, pagemap_scan_pmd_entry).
    /// </summary>
    /// <returns>Bytes that were taken.</returns>
    private long TakeAndCopy()
    {
        _found.Clear();
        long bytes = 0;
        for (int slice = 0; slice < _scanner.SliceCount; slice++)
        {
            _foundOne.Clear();
            Check(_scanner.Take(slice, _foundOne));
            bytes += (long)_foundOne.TotalBytes;
            _found.AddRange(_foundOne.Runs);
            Copy(_foundOne.Runs);
        }

        _memory.TakenLocally = PauseExtents.Union(_memory.TakenLocally, CollectionsMarshal.AsSpan(_found));
        return bytes;
    }

    private void Copy(ReadOnlySpan<PageRun> runs)
    {
        if (!runs.IsEmpty)
        {
            _ = Add(runs, _carried);
            _ = _copier.CopyAll(_runningMemory, long.MaxValue, whileStopped: false);
        }
    }

    /// <summary>An image for what is too much to copy. What an image does not have is copied all the same, as far as it fits.</summary>
    private ProcessImage Fork()
    {
        AddUnforkable();
        RemoteCaller? caller = _target.PrepareCalls();
        _madeCalls = caller is not null;
        long started = MonotonicClock.Nanoseconds;
        try
        {
            return PauseWork.CreateImage(_target, caller);
        }
        finally
        {
            caller?.Restore();
            _forkTook = MonotonicClock.Nanoseconds - started;
        }
    }

    /// <summary>What an image does not have: shared memory, MADV_DONTFORK, MADV_WIPEONFORK. What does not fit is labelled.</summary>
    private void AddUnforkable()
    {
        int run = 0;
        ReadOnlySpan<PageRun> present = _scanner.Present.Runs;
        for (int index = 0; index < _regions.Count; index++)
        {
            CaptureRegion region = _regions[index];
            for (; run < present.Length && present[run].End <= region.Start; run++)
            {
            }

            HoleCause cause = Unforkable(region);
            bool isShared = _vmas[region.VmaIndex].IsShared;
            if (region.Source != RegionSource.Tracked || (cause == HoleCause.None && !isShared))
            {
                continue;
            }

            bool fits = true;
            for (int i = run; i < present.Length && present[i].Start < region.End; i++)
            {
                fits &= _copier.TryAdd(Math.Max(present[i].Start, region.Start), Math.Min(present[i].End, region.End));
            }

            if (!fits)
            {
                _regions[index] = isShared ? region with { Consistency = Consistency.Live } : PauseWork.WithoutBytes(region, cause);
            }
        }
    }

    private HoleCause Unforkable(CaptureRegion region)
    {
        VmaKernelFlags flags = _target.Facts.Vmas.Find(v => v.Vma.Start.Value <= region.Start && v.Vma.End.Value > region.Start)?.Flags ?? VmaKernelFlags.None;
        return (flags & VmaKernelFlags.DontCopy) != 0 ? HoleCause.NotForked
            : (flags & VmaKernelFlags.WipeOnFork) != 0 ? HoleCause.WipedOnFork
            : HoleCause.None;
    }
}
