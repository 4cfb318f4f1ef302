#pragma warning disable CA2000 // What is made here is owned by the session, lease or channel that it goes to.
using System.Collections.Concurrent;
using System.Globalization;
using Corelift.Capture.Planning;
using Corelift.Capture.Reading;
using Corelift.Capture.Sessions;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture;

/// <summary>Plans, stops and captures processes, each in a worker process of its own. For one agent; safe for several threads.</summary>
public sealed class CaptureEngine : IAsyncDisposable
{
    private readonly CaptureEngineOptions _options;
    private readonly TargetRegistry _registry;
    private readonly ImageJournal _journal;
    private readonly ConcurrentDictionary<string, StopLease> _leases = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<SnapshotSession, byte> _sessions = new();

    /// <summary>An engine with these budgets.</summary>
    public CaptureEngine(CaptureEngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _registry = new TargetRegistry(options.MaxCaptures);
        _journal = new ImageJournal(options.StateDirectory);
    }

    /// <summary>Its budgets.</summary>
    public CaptureEngineOptions Options => _options;

    /// <summary>Number of captures and leases under way.</summary>
    public int ActiveCount => _registry.Count;

    /// <summary>Says what a capture would do. Touches nothing.</summary>
    /// <exception cref="CaptureException">The target cannot be captured, or not as asked.</exception>
    public CapturePlan Plan(ProcessRef target, CaptureRequest request)
    {
        OwnProcesses.ThrowIfOwn(target.Pid);
        using ProcessDirectory directory = TargetFacts.Open(target);
        TargetFacts facts = TargetFacts.Read(directory);
        return CapturePlanner.Plan(facts, request, Resources(request), refuse: false);
    }

    /// <summary>Takes a snapshot. When this returns, the target runs, unless the plan says that it is streamed while stopped.</summary>
    /// <exception cref="CaptureException">There is no snapshot, and the target runs.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the target runs, and nothing is left behind.</exception>
    public async Task<SnapshotSession> CaptureAsync(ProcessRef target, CaptureRequest request, CancellationToken cancellationToken)
    {
        OwnProcesses.ThrowIfOwn(target.Pid);
        (ProcessRef identity, CapturePlan plan) = PlanStrictly(target, request);
        IDisposable taken = _registry.Take(identity);
        try
        {
            SnapshotSession session = plan.StreamsWhileStopped
                ? await StreamWhileStoppedAsync(identity, request, plan, taken, cancellationToken).ConfigureAwait(false)
                : await CaptureInWorkerAsync(identity, request, plan, taken, cancellationToken).ConfigureAwait(false);
            _sessions.TryAdd(session, 0);
            return session;
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    /// <summary>Captures a target that is stopped under a lease, as it stands; it stays stopped.</summary>
    /// <exception cref="CaptureException">No such lease.</exception>
    public SnapshotSession CaptureLease(StopLease lease, CaptureRequest request)
    {
        ArgumentNullException.ThrowIfNull(lease);
        using ProcessDirectory directory = ProcessDirectory.Open(lease.Target.Pid);
        TargetFacts facts = TargetFacts.Read(directory);
        CapturePlan plan = CapturePlanner.Plan(facts, request with { Strategy = CaptureStrategy.Direct }, Resources(request), refuse: false);
        return FromLease(lease, request, plan with { Reasons = ["direct: the target is stopped under a lease"] }, () => ValueTask.CompletedTask);
    }

    /// <summary>Stops a target under a lease.</summary>
    /// <param name="target">The process.</param>
    /// <param name="timeToLive">Time until it is resumed unless kept alive.</param>
    /// <param name="stopBudget">Longest time that stopping all its tasks may take.</param>
    /// <param name="cancellationToken">Cancels the stop while it is being made.</param>
    /// <exception cref="CaptureException">It is not stopped.</exception>
    public async Task<StopLease> StopAsync(ProcessRef target, TimeSpan timeToLive, TimeSpan stopBudget, CancellationToken cancellationToken)
    {
        OwnProcesses.ThrowIfOwn(target.Pid);
        ProcessRef identity;
        using (ProcessDirectory directory = TargetFacts.Open(target))
        {
            identity = directory.ReadIdentity();
        }

        IDisposable taken = _registry.Take(identity);
        try
        {
            StopLease lease = await StartLeaseAsync(identity, timeToLive, _options.MaxHold, stopBudget, taken, cancellationToken).ConfigureAwait(false);
            return lease;
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    /// <summary>Finds a lease that has not ended.</summary>
    /// <exception cref="CaptureException">No lease has this id (LeaseNotFound).</exception>
    public StopLease FindLease(string leaseId) => _leases.TryGetValue(leaseId, out StopLease? lease) && !lease.HasEnded
        ? lease
        : throw new CaptureException(
            CaptureFailure.LeaseNotFound, "there is no such lease: it ran out, was ended, or never was; the process runs");

    /// <summary>Has dead images reaped that an agent before this one left.</summary>
    /// <returns>One sentence for each target that was cleaned or could not be.</returns>
    public async Task<IReadOnlyList<string>> CleanUpAsync()
    {
        var said = new List<string>();
        foreach (ProcessRef target in _journal.Read())
        {
            string reason = await ReapLeftoversAsync(target).ConfigureAwait(false);
            said.Add(reason.Length == 0
                ? $"an earlier agent's capture of process {target.Pid} has been cleaned up"
                : $"an image of process {target.Pid} is left: {reason}");
        }

        return said;
    }

    /// <summary>Resumes everybody and ends all captures. Nothing new is taken from then on.</summary>
    public async ValueTask DisposeAsync()
    {
        _registry.Close();
        var leases = _leases.Values.Select(lease => lease.ResumeAsync());
        await Task.WhenAll(leases).ConfigureAwait(false);
        await Task.WhenAll(_sessions.Keys.Select(session => session.DisposeAsync().AsTask())).ConfigureAwait(false);
    }

    private (ProcessRef Identity, CapturePlan Plan) PlanStrictly(ProcessRef target, CaptureRequest request)
    {
        using ProcessDirectory directory = TargetFacts.Open(target);
        TargetFacts facts = TargetFacts.Read(directory);
        return (directory.ReadIdentity(), CapturePlanner.Plan(facts, request, Resources(request), refuse: true));
    }

    private async Task<SnapshotSession> StreamWhileStoppedAsync(
        ProcessRef target, CaptureRequest request, CapturePlan plan, IDisposable taken, CancellationToken cancellationToken)
    {
        StopLease lease = await StartLeaseAsync(target, request.StopBudget, request.StopBudget, request.StopBudget, taken, cancellationToken)
            .ConfigureAwait(false);
        try
        {
            SnapshotSession? session = null;
            session = FromLease(lease, request, plan, async () =>
            {
                _sessions.TryRemove(session!, out _);
                session!.StoppedInAll = await lease.ResumeAsync().ConfigureAwait(false);
            });
            return session;
        }
        catch
        {
            _ = await lease.ResumeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task<SnapshotSession> CaptureInWorkerAsync(
        ProcessRef target, CaptureRequest request, CapturePlan plan, IDisposable taken, CancellationToken cancellationToken)
    {
        bool fork = plan.Strategy == CaptureStrategy.Fork;
        _journal.Note(target);
        using SafeFileHandle? spool = fork ? null : OpenSpoolFile(plan);
        WorkerConnection worker = WorkerConnection.Start(
            _options.WorkerExecutable,
            new WorkerRequest
            {
                Task = WorkerTask.Capture,
                Pid = target.Pid,
                StartTimeTicks = target.StartTimeTicks,
                Strategy = plan.Strategy,
                Content = request.Content,
                StopBudgetNanoseconds = request.StopBudget.Ticks * 100,
                PauseCopyLimitBytes = request.PauseCopyLimitBytes,
                SpoolLimitBytes = SpoolLimit(),
            },
            spool);
        try
        {
            using WorkerMessageIn instant = await worker.NextAsync(cancellationToken).ConfigureAwait(false);
            return FromInstant(target, plan, instant, () => EndAsync(target, worker, taken));
        }
        catch (Exception failure)
        {
            if (failure is OperationCanceledException)
            {
                worker.Kill(); // wherever it is: whoever it holds runs at once
            }

            await EndAsync(target, worker, taken).ConfigureAwait(false);
            throw;
        }
    }

    private SnapshotSession FromInstant(ProcessRef target, CapturePlan plan, WorkerMessageIn instant, Func<ValueTask> end)
    {
        using SharedBuffer report = SharedBuffer.Open(instant.TakeDescriptor(WorkerDescriptors.Report)!);
        (ReportHeader header, ReportParts parts) = CaptureReport.Read(report);
        SafeFileHandle? copy = instant.TakeDescriptor(WorkerDescriptors.PauseCopy);
        var sources = new SnapshotSources
        {
            Regions = parts.Regions,
            Vmas = MapsParser.Parse(parts.Maps, ProcfsLimits.Default),
            Extents = parts.Extents,
            Unreadable = parts.Unreadable,
            PauseCopy = copy is null ? null : SharedBuffer.Open(copy),
            Memory = instant.TakeDescriptor(WorkerDescriptors.Memory),
            Pagemap = instant.TakeDescriptor(WorkerDescriptors.Pagemap),
            LiveMemory = instant.TakeDescriptor(WorkerDescriptors.LiveMemory),
            LivePagemap = instant.TakeDescriptor(WorkerDescriptors.LivePagemap),
            Directory = TryOpen(target),
            ScratchStart = header.ScratchStart,
            ScratchEnd = header.ScratchEnd,
        };
        SharedBuffer threads = SharedBuffer.Open(instant.TakeDescriptor(WorkerDescriptors.Threads)!);
        SnapshotSession? session = null;
        session = new SnapshotSession(plan, threads, header, parts, sources, async () =>
        {
            _sessions.TryRemove(session!, out _);
            await end().ConfigureAwait(false);
        });
        instant.KeepTaken();
        return session;
    }

    private static SnapshotSession FromLease(StopLease lease, CaptureRequest request, CapturePlan plan, Func<ValueTask> release)
    {
        if (lease.Memory is null || lease.Pagemap is null)
        {
            throw new CaptureException(
                CaptureFailure.DeniedByKernel,
                "the target's memory cannot be opened while it is stopped (seccomp, and another owner): capture it without a lease, with content that fits the agent's spool");
        }

        List<Vma> vmas = MapsParser.Parse(lease.Parts.Maps, ProcfsLimits.Default);
        using ProcessDirectory directory = ProcessDirectory.Open(lease.Target.Pid);
        TargetFacts facts = TargetFacts.Read(directory);
        ulong[] stackPointers = [.. Enumerable.Range(0, lease.ThreadCount).Select(lease.Threads.StackPointer)];
        var selector = new ContentSelector(new SelectionInput
        {
            Content = request.Content,
            CoredumpFilter = facts.CoredumpFilter,
            IsCoreClr = facts.IsCoreClr,
            StackPointers = stackPointers,
            DebuggerPages = request.Content == CaptureContent.Stacks ? DebuggerPages.Find(facts) : [],
        });
        var sources = new SnapshotSources
        {
            Regions = RegionPlanner.Plan(vmas, facts.Vmas, selector, CaptureStrategy.Direct, copiesInPause: false),
            Vmas = vmas,
            Memory = lease.Memory,
            Pagemap = lease.Pagemap,
            Directory = TryOpen(lease.Target),
            IsLease = true,
        };
        return new SnapshotSession(plan, lease.ThreadBuffer, lease.Header, lease.Parts, sources, release) { StillStopped = true, OwnsThreads = false };
    }

    private async Task<StopLease> StartLeaseAsync(
        ProcessRef target, TimeSpan timeToLive, TimeSpan maxHold, TimeSpan stopBudget, IDisposable taken, CancellationToken cancellationToken)
    {
        _journal.Note(target);
        WorkerConnection worker = WorkerConnection.Start(
            _options.WorkerExecutable,
            new WorkerRequest
            {
                Task = WorkerTask.Stop,
                Pid = target.Pid,
                StartTimeTicks = target.StartTimeTicks,
                StopBudgetNanoseconds = stopBudget.Ticks * 100,
                HoldNanoseconds = timeToLive.Ticks * 100,
            },
            null);
        try
        {
            using WorkerMessageIn instant = await worker.NextAsync(cancellationToken).ConfigureAwait(false);
            var lease = new StopLease(target, worker, instant, timeToLive, maxHold, async ended =>
            {
                _leases.TryRemove(ended.Id, out _);
                await TidyAsync(target, ended.EndedCleanly).ConfigureAwait(false);
                taken.Dispose();
            });
            instant.KeepTaken();
            _leases.TryAdd(lease.Id, lease);
            return lease;
        }
        catch
        {
            await EndAsync(target, worker, taken).ConfigureAwait(false);
            throw;
        }
    }

    private async ValueTask EndAsync(ProcessRef target, WorkerConnection worker, IDisposable taken)
    {
        _ = worker.Send(new WorkerCommand { Kind = WorkerCommandKind.Release });
        bool clean = await ReleasedCleanlyAsync(worker).ConfigureAwait(false);
        await worker.DisposeAsync().ConfigureAwait(false);
        await TidyAsync(target, clean).ConfigureAwait(false);
        taken.Dispose();
    }

    /// <summary>A worker that did not say that all is released may have left a dead child of the target.</summary>
    private async Task TidyAsync(ProcessRef target, bool clean)
    {
        if (clean)
        {
            _journal.Forget(target);
        }
        else
        {
            _ = await ReapLeftoversAsync(target).ConfigureAwait(false);
        }
    }

    private static async Task<bool> ReleasedCleanlyAsync(WorkerConnection worker)
    {
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            while (true)
            {
                using WorkerMessageIn message = await worker.NextAsync(patience.Token).ConfigureAwait(false);
                if (message.Reply.Kind == WorkerReplyKind.Released)
                {
                    return message.Reply.Text.Length == 0;
                }
            }
        }
        catch (Exception failure) when (failure is CaptureException or OperationCanceledException)
        {
            return false;
        }
    }

    private async Task<string> ReapLeftoversAsync(ProcessRef target)
    {
        string reason = string.Empty;
        foreach (int image in await ImageJournal.FindDeadImagesAsync(target).ConfigureAwait(false))
        {
            WorkerConnection worker = WorkerConnection.Start(
                _options.WorkerExecutable,
                new WorkerRequest { Task = WorkerTask.Reap, Pid = target.Pid, StartTimeTicks = target.StartTimeTicks, ImagePid = image },
                null);
            await using (worker.ConfigureAwait(false))
            {
                try
                {
                    using WorkerMessageIn message = await worker.NextAsync(CancellationToken.None).ConfigureAwait(false);
                    reason = message.Reply.Text;
                }
                catch (CaptureException failure)
                {
                    reason = failure.Message;
                }
            }
        }

        if (reason.Length == 0)
        {
            _journal.Forget(target);
        }

        return reason;
    }

    private static ProcessDirectory? TryOpen(ProcessRef target)
    {
        try
        {
            ProcessDirectory directory = ProcessDirectory.Open(target.Pid);
            if (directory.ReadIdentity() == target)
            {
                return directory;
            }

            directory.Dispose();
        }
        catch (SyscallException)
        {
            // Gone; its image is what is read.
        }

        return null;
    }

    private SafeFileHandle? OpenSpoolFile(CapturePlan plan)
    {
        if (_options.SpoolDirectory is null || (long)plan.TotalBytes <= MemorySpoolLimit())
        {
            return null;
        }

        string path = Path.Combine(_options.SpoolDirectory, Path.GetRandomFileName());
        SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        File.Delete(path);
        return file;
    }

    private CaptureResources Resources(CaptureRequest request) => new(SpoolLimit(), request.PauseCopyLimitBytes);

    private long SpoolLimit() => _options.SpoolDirectory is null ? MemorySpoolLimit() : DiskSpoolLimit(_options.SpoolDirectory);

    private static long DiskSpoolLimit(string directory) => new DriveInfo(directory).AvailableFreeSpace / 2;

    private long MemorySpoolLimit()
    {
        const long KibiByte = 1024;
        if (_options.SpoolBytes > 0)
        {
            return _options.SpoolBytes;
        }

        foreach (string line in File.ReadLines("/proc/meminfo"))
        {
            if (line.StartsWith("MemAvailable:", StringComparison.Ordinal))
            {
                string number = line["MemAvailable:".Length..].Replace("kB", string.Empty, StringComparison.Ordinal).Trim();
                return long.Parse(number, CultureInfo.InvariantCulture) * KibiByte / 4;
            }
        }

        return 256L << 20;
    }
}
