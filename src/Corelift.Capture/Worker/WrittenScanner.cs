using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>
/// Looks for written pages on several threads that were started before: each takes slices of the address space. In the pause
/// every CPU that the target used is free, and the walk of its page tables is most of what the pause takes.
/// </summary>
internal sealed class WrittenScanner : IDisposable
{
    private const ulong SliceBytes = 32UL << 20;
    private const int MostHelpers = 3;
    private const int RunsAhead = 16 * 1024;
    private const int MuchPerSlice = 4;
    private const long LongestSpinNanoseconds = 50_000;

    private readonly WrittenShare[] _shares;
    private readonly Thread[] _helpers;
    private readonly Bell _start = new();
    private ScanSlice[] _slices = [];
    private int _sliceCount;
    private int _nextSlice;
    private int _running; // helpers that take part just now
    private volatile bool _open; // for helpers to take part
    private volatile int _failed;
    private volatile bool _ending;
    private bool _take;
    private bool _expectsMuch; // from what the last look found

    /// <summary>Starts the threads.</summary>
    /// <param name="pagemap">The target's pagemap.</param>
    internal WrittenScanner(SafeFileHandle pagemap)
    {
        _shares = new WrittenShare[1 + Math.Clamp(Environment.ProcessorCount - 1, 0, MostHelpers)];
        for (int i = 0; i < _shares.Length; i++)
        {
            _shares[i] = new WrittenShare(pagemap);
        }

        _helpers = new Thread[_shares.Length - 1];
        for (int i = 0; i < _helpers.Length; i++)
        {
            WrittenShare share = _shares[i + 1];
            _helpers[i] = new Thread(() => Help(share), 256 * 1024) { IsBackground = true, Name = "written-scanner" };
            _helpers[i].Start();
        }
    }

    /// <summary>What was written, or is no longer there, in ascending order. Empty after a look that takes.</summary>
    internal PageRunList Written { get; } = new(RunsAhead);

    /// <summary>Mappings that no tracker is registered for, in ascending order: they came since the tracking began.</summary>
    internal PageRunList Untracked { get; } = new(64);

    /// <summary>Pages among them that exist, in ascending order; those of untracked mappings, too.</summary>
    internal PageRunList Present { get; } = new(RunsAhead);

    /// <summary>Cuts the tracked regions into slices; to be called whenever they have changed.</summary>
    internal void SetRegions(List<CaptureRegion> regions)
    {
        var slices = new List<ScanSlice>();
        for (int i = 0; i < regions.Count;)
        {
            if (regions[i].Source != RegionSource.Tracked)
            {
                i++;
                continue;
            }

            (ulong start, ulong end) = (regions[i].Start, regions[i].End);
            for (i++; i < regions.Count && regions[i].Source == RegionSource.Tracked && regions[i].Start == end; i++)
            {
                end = regions[i].End;
            }

            for (ulong at = start; at < end; at += Math.Min(SliceBytes, end - at))
            {
                slices.Add(new ScanSlice(at, at + Math.Min(SliceBytes, end - at), at == start ? end : at));
            }
        }

        _slices = [.. slices];
        _sliceCount = _slices.Length;
        foreach (WrittenShare share in _shares)
        {
            share.Reserve(_sliceCount);
        }
    }

    /// <summary>Looks at all slices with the calling thread alone, while the target runs.</summary>
    /// <param name="take">Whether what is found counts as not written to from now on.</param>
    /// <returns>None, or why the kernel did not answer.</returns>
    internal Errno Scan(bool take)
    {
        Prepare(take);
        return Complete();
    }

    /// <summary>
    /// In the pause: has the helpers begin, while the calling thread does other things. They run at its priority, as every CPU
    /// is free that the target used. Allocates nothing unless there are very many runs; so <see cref="Complete"/>.
    /// </summary>
    internal void Begin()
    {
        Prepare(take: false);
        if (_sliceCount > 1 && _helpers.Length > 0)
        {
            _open = true;
            _start.Ring();
        }
    }

    /// <summary>
    /// Looks at what is left, waits for the helpers that took part, and brings what all found into one order. A helper that got
    /// no CPU yet is not waited for, and waiting is not spinning: this thread is SCHED_FIFO, as the helpers are, and where the
    /// tracers of two captures hold both CPUs no helper would come before the kernel throttles them (sched_rt_runtime_us).
    /// </summary>
    /// <returns>None, or why the kernel did not answer.</returns>
    internal Errno Complete()
    {
        ScanSlices(_shares[0]);
        _open = false;
        Interlocked.MemoryBarrier(); // a helper either sees that, or is counted
        long began = MonotonicClock.Nanoseconds;
        while (Volatile.Read(ref _running) > 0)
        {
            if (MonotonicClock.Nanoseconds - began < LongestSpinNanoseconds)
            {
                Thread.SpinWait(20);
            }
            else
            {
                MonotonicClock.RelaxSince(began);
            }
        }

        Merge();
        _expectsMuch = Present.Count > MuchPerSlice * _sliceCount;
        return (Errno)_failed;
    }

    public void Dispose()
    {
        _ending = true;
        _start.Ring();
        foreach (Thread helper in _helpers)
        {
            helper.Join();
        }

        _start.Dispose();
    }

    private void Prepare(bool take)
    {
        (_take, _nextSlice, _failed) = (take, 0, 0);
        foreach (WrittenShare share in _shares)
        {
            share.Clear();
        }
    }

    private void Help(WrittenShare share)
    {
        _ = SelfControl.RaisePriority();
        int heard = 0;
        while (true)
        {
            _start.Wait(ref heard);
            if (_ending)
            {
                return;
            }

            Interlocked.Increment(ref _running);
            if (_open)
            {
                ScanSlices(share);
            }

            Interlocked.Decrement(ref _running);
        }
    }

    private void ScanSlices(WrittenShare share)
    {
        for (int i = Interlocked.Increment(ref _nextSlice) - 1; i < _sliceCount && _failed == 0; i = Interlocked.Increment(ref _nextSlice) - 1)
        {
            Errno result = share.Scan(i, _slices[i], _take, _expectsMuch);
            if (result != Errno.None)
            {
                _failed = (int)result;
            }
        }
    }

    /// <summary>Each share has its slices in ascending order; together they are merged by slice.</summary>
    private void Merge()
    {
        Written.Clear();
        Untracked.Clear();
        Present.Clear();
        foreach (WrittenShare share in _shares)
        {
            share.Rewind();
        }

        for (int slice = 0; slice < _sliceCount; slice++)
        {
            foreach (WrittenShare share in _shares)
            {
                if (share.TryAppend(slice, Written, Untracked, Present))
                {
                    break;
                }
            }
        }
    }
}
