using System.Globalization;
using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>What a capture does between the registers and the resume.</summary>
internal sealed class PauseWork
{
    private readonly WorkerRequest _request;
    private readonly StoppedTarget _target;
    private readonly PauseCopier? _copier;
    private readonly IReadOnlyCollection<ulong> _debuggerPages;
    private readonly SecretMemory _secrets;

    internal PauseWork(WorkerRequest request, StoppedTarget target, PauseCopier? copier, IReadOnlyCollection<ulong> debuggerPages)
    {
        _request = request;
        _target = target;
        _copier = copier;
        _debuggerPages = debuggerPages;
        _secrets = request.Secrets.ToSecretMemory();
    }

    internal int ThreadCount { get; private set; }

    /// <summary>Whether frames lay in the scratch memory while memory was copied: its pages were zero in the target.</summary>
    internal bool MadeCalls { get; private set; }

    internal byte[] Maps { get; private set; } = [];

    internal List<CaptureRegion> Regions { get; private set; } = [];

    internal ExtentList Extents => _copier?.Extents ?? new ExtentList();

    internal UnreadableRun[] Unreadable { get; private set; } = [];

    internal TargetFiles TargetFiles { get; private set; }

    internal long CopyNanoseconds { get; private set; }

    internal long ForkNanoseconds { get; private set; }

    /// <summary>Copies what must be copied and makes the image, as the strategy asks. The target is still stopped after it.</summary>
    /// <returns>The image, or null for strategy direct.</returns>
    internal ProcessImage? Run()
    {
        bool fork = _request.Strategy == CaptureStrategy.Fork;
        ThreadCount = _target.Session.StoppedCount;
        long started = MonotonicClock.Nanoseconds;
        Maps = _target.Facts.Directory.ReadFile("maps");
        List<Vma> vmas = MapsParser.Parse(Maps, ProcfsLimits.Default);
        Regions = RegionPlanner.Plan(vmas, _target.Facts.Vmas, CreateSelector(), _request.Strategy, copiesInPause: true);

        RemoteCaller? caller = null;
        if (Regions.Exists(r => r.Source == RegionSource.PauseCopy) || fork)
        {
            // Strategy direct calls nothing in the target where it can open its files by itself.
            caller = fork || !_target.Facts.CanOpenMem ? _target.PrepareCalls() : null;
            MadeCalls = caller is not null;
        }

        try
        {
            CopyRegions(vmas, caller);
            CopyNanoseconds = MonotonicClock.Nanoseconds - started;
            started = MonotonicClock.Nanoseconds;
            ProcessImage? image = fork ? CreateImage(_target, caller) : null;
            ForkNanoseconds = fork ? MonotonicClock.Nanoseconds - started : 0;
            return image;
        }
        finally
        {
            caller?.Restore();
        }
    }

    private ContentSelector CreateSelector()
    {
        ulong[] stackPointers = new ulong[_request.Content == CaptureContent.Stacks ? ThreadCount : 0];
        for (int i = 0; i < stackPointers.Length; i++)
        {
            stackPointers[i] = _target.Records.StackPointer(i);
        }

        return new ContentSelector(new SelectionInput
        {
            Content = _request.Content,
            CoredumpFilter = _target.Facts.CoredumpFilter,
            IsCoreClr = _target.Facts.IsCoreClr,
            Secrets = _secrets,
            StackPointers = stackPointers,
            DebuggerPages = _debuggerPages,
        });
    }

    /// <summary>Makes the fork image of a stopped target.</summary>
    /// <exception cref="CaptureException">ForkNotSafe or ForkRefused.</exception>
    internal static ProcessImage CreateImage(StoppedTarget target, RemoteCaller? caller)
    {
        if (caller is null)
        {
            throw new CaptureException(CaptureFailure.ForkNotSafe, $"no image can be made: {target.NoCallsBecause}");
        }

        ProcessImage? image = ProcessImage.Create(caller, isPeer: false, target.Deadline, out Errno errno);
        return image ?? throw new CaptureException(
            CaptureFailure.ForkRefused,
            errno == Errno.TryAgain
                ? "the target may have no more processes (pids cgroup or RLIMIT_NPROC): ask for strategy direct"
                : $"the kernel refused to fork the target ({errno}): ask for strategy direct");
    }

    private void CopyRegions(List<Vma> vmas, RemoteCaller? caller)
    {
        if (_copier is null || !Regions.Exists(r => r.Source == RegionSource.PauseCopy))
        {
            DropPauseCopies(vmas);
            return;
        }

        TargetFiles = _target.OpenFiles(caller);
        var presence = new PagePresence(_target.Facts, TargetFiles.Pagemap, _target.Session.Tid(0));
        var runs = new PageRunList(4096);
        for (int i = 0; i < Regions.Count; i++)
        {
            CaptureRegion region = Regions[i];
            if (region.Source != RegionSource.PauseCopy)
            {
                continue;
            }

            if (TakePages(region, vmas[region.VmaIndex], presence, runs) is { } instead)
            {
                Regions[i] = instead;
            }
        }

        var memory = new BulkMemory(_target.Session.Tid(0), TargetFiles.Memory, TargetFiles.Pagemap);
        if (!_copier.CopyAll(memory, _target.Deadline))
        {
            throw new CaptureException(
                CaptureFailure.StopBudgetOverrun,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"copying {_copier.UsedBytes >> 20} MiB took longer than the stop budget of {_request.StopBudgetNanoseconds / 1_000_000} ms: every thread runs again; raise the budget, ask for less content, or for strategy fork"));
        }

        _target.ThrowIfKilled();
        Unreadable = _copier.Unreadable;
    }

    /// <summary>Takes a region's pages into the list of what to copy, a window at a time: the list of runs stays small.</summary>
    /// <returns>What the region becomes where they cannot be copied; null where they are.</returns>
    private CaptureRegion? TakePages(CaptureRegion region, Vma vma, PagePresence presence, PageRunList runs)
    {
        const ulong Window = 256UL << 20;
        bool whole = region.Consistency == Consistency.File && !_target.Facts.CanReadFile(vma);
        ulong length = whole ? region.LengthBytes : Window;
        for (ulong start = region.Start; start < region.End; start += Math.Min(length, region.End - start))
        {
            runs.Clear();
            CaptureRegion window = region with { Start = start, End = start + Math.Min(length, region.End - start) };
            if (whole)
            {
                runs.Add(region.Start, region.End); // pages of a file that nobody else can give: from the mapping, present or not
            }
            else if (!presence.TryFind(window, vma, runs))
            {
                return WithoutBytes(region, HoleCause.PresenceUnknown);
            }

            if (!TryAdd(runs))
            {
                return DoesNotFit(region, vma);
            }
        }

        return null;
    }

    private bool TryAdd(PageRunList runs)
    {
        foreach (PageRun run in runs.Runs)
        {
            if (!_copier!.TryAdd(run.Start, run.End))
            {
                return false;
            }
        }

        return true;
    }

    private CaptureRegion DoesNotFit(CaptureRegion region, Vma vma) => _request.Strategy == CaptureStrategy.Fork
        ? OutsideThePause(region, vma)
        : throw new CaptureException(
            CaptureFailure.SpoolTooSmall,
            string.Create(
                CultureInfo.InvariantCulture,
                $"the target's memory grew beyond the spool while it was being stopped; it runs again: try again, raise the agent's spool, or ask for less content"));

    /// <summary>Strategy fork, beyond the budget: shared memory is read later; what the image lacks is left out.</summary>
    private CaptureRegion OutsideThePause(CaptureRegion region, Vma vma)
    {
        if (vma.IsShared)
        {
            return region with { Consistency = Consistency.Live, Source = RegionSource.LivePages };
        }

        VmaKernelFlags flags = _target.Facts.Vmas.Find(v => v.Vma.Start <= vma.Start && v.Vma.End > vma.Start)?.Flags ?? VmaKernelFlags.None;
        return WithoutBytes(region, (flags & VmaKernelFlags.DontCopy) != 0 ? HoleCause.NotForked : HoleCause.WipedOnFork);
    }

    private void DropPauseCopies(List<Vma> vmas)
    {
        for (int i = 0; i < Regions.Count; i++)
        {
            // Without a buffer there was none of the kind before the stop: it came in the last moment.
            if (Regions[i].Source == RegionSource.PauseCopy)
            {
                Regions[i] = WithoutBytes(Regions[i], vmas[Regions[i].VmaIndex].IsShared ? HoleCause.PresenceUnknown : HoleCause.NotForked);
            }
        }
    }

    internal static CaptureRegion WithoutBytes(CaptureRegion region, HoleCause cause) =>
        region with { Consistency = Consistency.None, Hole = cause, Source = RegionSource.None };
}
