using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>
/// Looks for written pages on several threads that were started before. In the pause every CPU that the target used is free, and
/// the walk of its page tables is most of what the pause takes. Each thread has slices of the address space that it begins with,
/// and then takes from the others': page tables that it has just looked at are in its CPU's cache, which halves the walk.
/// </summary>
internal sealed class WrittenScanner : IDisposable
{
    private const ulong SliceBytes = 32UL << 20;
    private const int MostHelpers = 3;
    private const int RunsAhead = 16 * 1024;
    private const int MuchPerSlice = 4;
    private const long LongestSpinNanoseconds = 50_000;

    private readonly WriteTracking _tracking;
    private readonly WrittenShare[] _shares;
    private readonly Thread[] _helpers;
    private readonly int[] _helperTids;
    private readonly int[] _next; // slice of each share's own
    private readonly Bell _start = new();
    private ScanSlice[] _slices = [];
    private SliceFound[] _found = [];
    private int _running; // helpers that take part just now
    private volatile bool _open; // for helpers to take part
    private volatile int _failed;
    private volatile bool _ending;
    private bool _expectsMuch; // from what the last look found

    /// <summary>Starts the threads.</summary>
    /// <param name="pagemap">The target's pagemap.</param>
    /// <param name="tracker">What tracks its writes.</param>
    internal WrittenScanner(SafeFileHandle pagemap, WriteTracker tracker)
    {
        _tracking = tracker.Tracking;
        _shares = new WrittenShare[1 + Math.Clamp(Environment.ProcessorCount - 1, 0, MostHelpers)];
        for (int i = 0; i < _shares.Length; i++)
        {
            _shares[i] = new WrittenShare(pagemap, tracker);
        }

        _next = new int[_shares.Length];
        _helpers = new Thread[_shares.Length - 1];
        _helperTids = new int[_helpers.Length];
        using var started = new CountdownEvent(_shares.Length);
        for (int i = 0; i < _helpers.Length; i++)
        {
            int helper = i;
            _helpers[i] = new Thread(() => Help(helper, started), 256 * 1024) { IsBackground = true, Name = "written-scanner" };
            _helpers[i].Start();
        }

        started.Signal();
        started.Wait();
    }

    /// <summary>What was written, or is no longer there, in ascending order.</summary>
    internal PageRunList Written { get; } = new(RunsAhead);

    /// <summary>Mappings that no tracker is registered for, in ascending order: they came since the tracking began.</summary>
    internal PageRunList Untracked { get; } = new(64);

    /// <summary>Pages among them that exist, in ascending order; those of untracked mappings, too.</summary>
    internal PageRunList Present { get; } = new(RunsAhead);

    /// <summary>Cuts the tracked regions into slices; to be called whenever they have changed.</summary>
    internal void SetRegions(List<CaptureRegion> regions, List<Vma> vmas)
    {
        // By soft-dirty bits no slice is of two mappings: whether it is what it was is asked of each.
        bool isSoftDirty = _tracking == WriteTracking.SoftDirty;
        var slices = new List<ScanSlice>();
        for (int i = 0; i < regions.Count;)
        {
            if (regions[i].Source != RegionSource.Tracked)
            {
                i++;
                continue;
            }

            (ulong start, ulong end, int vma) = (regions[i].Start, regions[i].End, regions[i].VmaIndex);
            for (i++; i < regions.Count && regions[i].Source == RegionSource.Tracked && regions[i].Start == end && (!isSoftDirty || regions[i].VmaIndex == vma); i++)
            {
                end = regions[i].End;
            }

            bool mustBeRegistered = isSoftDirty && !vmas[vma].IsFileBacked;
            for (ulong at = start; at < end; at += Math.Min(SliceBytes, end - at))
            {
                slices.Add(new ScanSlice(at, at + Math.Min(SliceBytes, end - at), at == start ? end : at, mustBeRegistered));
            }
        }

        _slices = [.. slices];
        _found = new SliceFound[_slices.Length];
    }

    /// <summary>Number of slices; they are in ascending order.</summary>
    internal int SliceCount => _slices.Length;

    /// <summary>
    /// Appends what was written of a slice and exists, and has it count as not written to from now on. The target may run.
    /// </summary>
    /// <returns>None, or why the kernel did not answer.</returns>
    internal Errno Take(int slice, PageRunList present) => _shares[0].Take(_slices[slice], present);

    /// <summary>Looks at all slices with the calling thread alone, while the target runs.</summary>
    /// <returns>None, or why the kernel did not answer.</returns>
    internal Errno Scan()
    {
        Prepare();
        return Complete();
    }

    /// <summary>
    /// The same with the helpers, at no more than the target's priority; so that every thread has just looked at its own slices when
    /// the pause begins.
    /// </summary>
    /// <inheritdoc cref="Scan"/>
    internal Errno ScanByAll()
    {
        Begin();
        return Complete();
    }

    /// <summary>Raises the helpers to the priority that the tracer has in the stop.</summary>
    internal void RaisePriority()
    {
        foreach (int tid in _helperTids)
        {
            _ = SelfControl.RaisePriorityOf(tid);
        }
    }

    /// <summary>
    /// In the pause: has the helpers begin, while the calling thread does other things. Allocates nothing unless there are very
    /// many runs; so <see cref="Complete"/>.
    /// </summary>
    internal void Begin()
    {
        Prepare();
        if (_slices.Length > 1 && _helpers.Length > 0)
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
        ScanSlices(0);
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
        _expectsMuch = Present.Count > MuchPerSlice * _slices.Length;
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

    private void Prepare()
    {
        _failed = 0;
        Array.Clear(_found);
        for (int i = 0; i < _shares.Length; i++)
        {
            _shares[i].Clear();
            _next[i] = FirstOf(i);
        }
    }

    private void Help(int helper, CountdownEvent started)
    {
        _helperTids[helper] = SelfControl.ThreadId;
        started.Signal();
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
                ScanSlices(helper + 1);
            }

            Interlocked.Decrement(ref _running);
        }
    }

    /// <summary>A share's own slices first, in ascending order; then what others have left of theirs.</summary>
    private void ScanSlices(int share)
    {
        for (int turn = 0; turn < _shares.Length; turn++)
        {
            int owner = (share + turn) % _shares.Length;
            int end = FirstOf(owner + 1);
            for (int i = Interlocked.Increment(ref _next[owner]) - 1; i < end && _failed == 0; i = Interlocked.Increment(ref _next[owner]) - 1)
            {
                Errno result = _shares[share].Scan(_slices[i], _expectsMuch, out _found[i]);
                if (result != Errno.None)
                {
                    _failed = (int)result;
                }
            }
        }
    }

    private int FirstOf(int share) => (int)((long)_slices.Length * share / _shares.Length);

    private void Merge()
    {
        Written.Clear();
        Untracked.Clear();
        Present.Clear();
        foreach (ref readonly SliceFound found in _found.AsSpan())
        {
            found.Share?.Append(found, Written, Untracked, Present);
        }
    }
}
