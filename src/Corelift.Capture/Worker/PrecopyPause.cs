using System.Globalization;
using System.Runtime.InteropServices;
using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>What strategy precopy does around and in the stop: copies what is written, or makes an image where that is too much.</summary>
internal sealed partial class PrecopyPause : IDisposable
{
    private const long LeastRoom = 24L << 20;
    private const double CopyBytesPerNanosecond = 2;

    private readonly WorkerRequest _request;
    private readonly StoppedTarget _target;
    private readonly TrackedMemory _memory;
    private readonly WrittenScanner _scanner;
    private readonly PauseCopier _copier;
    private readonly PagePresence _presence;
    private readonly BulkMemory _runningMemory;
    private readonly List<PageRun> _carried = new(64);
    private readonly List<PageRun> _found = new(1024);
    private readonly PageRunList _foundOne = new(1024);
    private readonly long _forkNanoseconds;
    private readonly IReadOnlyCollection<ulong> _debuggerPages;
    private readonly SecretMemory _secrets;
    private byte[] _maps;
    private List<Vma> _vmas;
    private List<CaptureRegion> _regions;
    private long _leftBytes; // as the last look or round found
    private bool _madeCalls;
    private long _scanNanoseconds;
    private long _copyNanoseconds;
    private long _forkTook;
    private long _staleBelow; // copies from before the stop, of pages that were written to or given up since, are out of date

    /// <summary>Makes everything that can be made before the stop.</summary>
    /// <param name="request">The request.</param>
    /// <param name="target">The target, looked at anew.</param>
    /// <param name="memory">Its tracked memory.</param>
    /// <param name="roomBytes">Room for what is copied.</param>
    internal PrecopyPause(WorkerRequest request, StoppedTarget target, TrackedMemory memory, long roomBytes)
    {
        (_request, _target, _memory) = (request, target, memory);
        bool canFork = target.NoCallsBecause is null && CapturePlanner.ForkHazard(target.Facts) is null;
        _forkNanoseconds = canFork ? (long)(CapturePlanner.ForkMilliseconds(target.Facts) * 1e6) : long.MaxValue;
        _debuggerPages = request.Content == CaptureContent.Stacks ? DebuggerPages.Find(target.Facts) : [];
        _secrets = request.Secrets.ToSecretMemory();
        _maps = target.Facts.Directory.ReadFile("maps");
        (_vmas, _regions) = Plan(_maps);
        memory.TrackNew(_maps, _vmas, _regions);
        long length = Math.Clamp(roomBytes, LeastRoom, Math.Max(LeastRoom, request.SpoolLimitBytes)) + PauseCopyBytes();
        Buffer = SharedBuffer.Create("corelift-pause-copy", length);
        _copier = new PauseCopier(Buffer);
        _presence = new PagePresence(target.Facts, memory.Files.Pagemap, target.Facts.Directory.Tid);
        _runningMemory = new BulkMemory(target.Facts.Directory.Tid, memory.Files.Memory, pagemap: null);
        _scanner = new WrittenScanner(memory.Files.Pagemap!, memory.Tracker);
        _scanner.SetRegions(_regions, _vmas);
    }

    /// <summary>Holds what was copied.</summary>
    internal SharedBuffer Buffer { get; }

    /// <summary>After <see cref="Run"/>: what did not fit, in bytes, where no image could be made either; 0 otherwise.</summary>
    internal long WantedBytes { get; private set; }

    /// <summary>What was found and copied.</summary>
    internal ReportParts Parts => new(_maps, [], [.. _regions], _copier.Unreadable)
    {
        Written = PauseExtents.Union(_scanner.Written.Runs, PauseExtents.Union(_scanner.Untracked.Runs, _memory.TakenLocally)),
    };

    /// <summary>What was copied, the newest of each page, in ascending order of address.</summary>
    internal ExtentList Extents =>
        PauseExtents.Newest(_copier.Extents, _staleBelow == 0 ? [] : PauseExtents.Union(_scanner.Written.Runs, _scanner.Untracked.Runs), _staleBelow);

    /// <summary>Every task has stopped: what was written is looked for from now on, beside everything else.</summary>
    internal void BeginScan() => _scanner.Begin();

    /// <summary>Copies what was written since, or makes an image. The target is stopped, and still is afterwards.</summary>
    /// <returns>The image, or null.</returns>
    internal ProcessImage? Run()
    {
        long started = MonotonicClock.Nanoseconds;
        bool changed = HaveMapsChanged();
        FindOthers();
        Check(_scanner.Complete());
        if (changed)
        {
            _scanner.SetRegions(_regions, _vmas);
            _scanner.Begin();
            Check(_scanner.Complete());
        }

        _scanNanoseconds = MonotonicClock.Nanoseconds - started;

        started = MonotonicClock.Nanoseconds;
        int before = _copier.Extents.Count;
        _staleBelow = _copier.UsedBytes;
        long bytes = (long)_scanner.Present.TotalBytes + LengthOf(_found) + LengthOf(_carried);
        bool copies = bytes / CopyBytesPerNanosecond <= _forkNanoseconds
            && Add(CollectionsMarshal.AsSpan(_found), null) && Add(CollectionsMarshal.AsSpan(_carried), null) && Add(_scanner.Present.Runs, null);
        ProcessImage? image = null;
        if (!copies)
        {
            _copier.TakeBack(before);
            if (_forkNanoseconds == long.MaxValue)
            {
                WantedBytes = bytes + _copier.UsedBytes;
                return null;
            }

            _ = Add(CollectionsMarshal.AsSpan(_found), null);
            image = Fork();
        }

        CheckTime(bytes);
        bool done = _copier.CopyAll(
            new BulkMemory(_target.Session.Tid(0), _memory.Files.Memory, _memory.Files.Pagemap), _target.Deadline);
        _target.ThrowIfKilled();
        _copyNanoseconds = MonotonicClock.Nanoseconds - started - _forkTook;
        return done ? image : throw Overrun(bytes);
    }

    /// <summary>Fills in the strategy's part of the report.</summary>
    internal void Describe(ref ReportHeader header, ProcessImage? image)
    {
        header.Strategy = image is null ? CaptureStrategy.Precopy : CaptureStrategy.Fork;
        header.ImagePid = image?.Tid ?? 0;
        (header.Scan, header.Copy, header.Fork) = (_scanNanoseconds, _copyNanoseconds, _forkTook);
        (header.ScratchStart, header.ScratchEnd) = _madeCalls ? (_target.ScratchStart, _target.ScratchEnd) : (0, 0);
    }

    public void Dispose()
    {
        _scanner.Dispose();
        _copier.Dispose();
        Buffer.Dispose();
    }

    /// <summary>The target's maps are mostly what they were a moment ago; only if not, all is planned anew.</summary>
    private bool HaveMapsChanged()
    {
        byte[] maps = _target.Facts.Directory.ReadFile("maps");
        if (_request.Content == CaptureContent.Stacks || !maps.AsSpan().SequenceEqual(_maps))
        {
            _maps = maps;
            (_vmas, _regions) = Plan(maps);
            return true;
        }

        return false;
    }

    private (List<Vma> Vmas, List<CaptureRegion> Regions) Plan(byte[] maps)
    {
        List<Vma> vmas = MapsParser.Parse(maps, ProcfsLimits.Default);
        var selector = new ContentSelector(new SelectionInput
        {
            Content = _request.Content,
            CoredumpFilter = _target.Facts.CoredumpFilter,
            IsCoreClr = _target.Facts.IsCoreClr,
            Secrets = _secrets,
            StackPointers = StackPointers(),
            DebuggerPages = _debuggerPages,
        });
        return (vmas, RegionPlanner.PlanPrecopy(vmas, _target.Facts.Vmas, selector, _request.PauseCopyLimitBytes));
    }

    /// <summary>Of the stopped tasks; before the stop there are none.</summary>
    private ulong[] StackPointers()
    {
        ulong[] pointers = new ulong[_request.Content == CaptureContent.Stacks ? _target.StoppedCount : 0];
        for (int i = 0; i < pointers.Length; i++)
        {
            pointers[i] = _target.Records.StackPointer(i);
        }

        return pointers;
    }

    private long PauseCopyBytes()
    {
        long sum = 0;
        foreach (CaptureRegion region in _regions)
        {
            sum += region.Source == RegionSource.PauseCopy
                ? (long)Math.Min(region.LengthBytes, (ulong)_request.PauseCopyLimitBytes)
                : 0;
        }

        return Math.Min(sum, 2 * _request.PauseCopyLimitBytes);
    }

    /// <summary>Pages of the regions that are copied whole.</summary>
    private void FindOthers()
    {
        _found.Clear();
        for (int i = 0; i < _regions.Count; i++)
        {
            if (_regions[i].Source != RegionSource.PauseCopy)
            {
                continue;
            }

            _foundOne.Clear();
            if (_presence.TryFind(_regions[i], _vmas[_regions[i].VmaIndex], _foundOne))
            {
                _found.AddRange(_foundOne.Runs);
            }
            else
            {
                _regions[i] = PauseWork.WithoutBytes(_regions[i], HoleCause.PresenceUnknown);
            }
        }
    }

    private static long LengthOf(List<PageRun> runs)
    {
        long sum = 0;
        foreach (PageRun run in runs)
        {
            sum += (long)(run.End - run.Start);
        }

        return sum;
    }

    /// <summary>Adds runs to what is copied; what does not fit goes to <paramref name="rest"/>, or is the answer.</summary>
    private bool Add(ReadOnlySpan<PageRun> runs, List<PageRun>? rest)
    {
        bool fits = true;
        foreach (PageRun run in runs)
        {
            if (!_copier.TryAdd(run.Start, run.End))
            {
                fits = false;
                rest?.Add(run);
            }
        }

        return fits;
    }

    private void Check(Errno errno)
    {
        if (errno != Errno.None)
        {
            throw new CaptureException(
                CaptureFailure.TargetExited, $"process {_request.Pid} ended, or called execve, while its memory was read");
        }
    }

    /// <summary>What would take longer than is left is not begun.</summary>
    private void CheckTime(long bytes)
    {
        if (MonotonicClock.Nanoseconds + (bytes / CopyBytesPerNanosecond / 4) > _target.Deadline)
        {
            throw Overrun(bytes);
        }
    }

    private CaptureException Overrun(long bytes) => new(
        CaptureFailure.StopBudgetOverrun,
        string.Create(
            CultureInfo.InvariantCulture,
            $"the pause would have taken about {(MonotonicClock.Nanoseconds - _target.Session.StopStartedAt + (bytes / CopyBytesPerNanosecond)) / 1e6:F1} ms, {bytes / 1e6:F1} MB written since the last look, and {_request.StopBudgetNanoseconds / 1e6:F1} ms are allowed: the target runs again; allow a longer pause, or try when it writes less"));
}
