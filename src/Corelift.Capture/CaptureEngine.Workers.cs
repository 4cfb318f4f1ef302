#pragma warning disable CA2000 // What is made here is owned by the session, lease or channel that it goes to.
using Corelift.Capture.Planning;
using Corelift.Capture.Reading;
using Corelift.Capture.Sessions;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture;

/// <content>Starting workers, taking over what they hand out, and leaving nothing when they end.</content>
public sealed partial class CaptureEngine
{
    private async Task<SnapshotSession> StreamWhileStoppedAsync(
        ProcessRef target, CaptureRequest request, CapturePlan plan, IDisposable taken, CancellationToken cancellationToken)
    {
        StopLease lease = await StartLeaseAsync(
            target, request.StopBudget, request.StopBudget, request.StopBudget, taken, request.Quiesces, request.Approve, cancellationToken).ConfigureAwait(false);
        try
        {
            SnapshotSession? session = null;
            session = FromLease(lease, request, WithQuiesce(plan, lease.QuiescedFor, lease.NotQuiescedBecause), async () =>
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
        using var approver = new Approver(target, request.Approve);
        _journal.Note(target);
        using SafeFileHandle? spool = fork ? null : OpenSpoolFile(plan);
        SafeFileHandle? quiesce = request.Quiesces ? _quiesceJournals.Open(target) : null;
        WorkerConnection worker = WorkerConnection.Start(
            _options.WorkerExecutable,
            ToWorker(WorkerTask.Capture, target, request, plan.Strategy, request.PauseCopyLimitBytes, approver),
            spool,
            quiesce);
        try
        {
            using WorkerMessageIn instant = await approver.NextAsync(worker, cancellationToken).ConfigureAwait(false);
            plan = WithQuiesce(plan, instant.QuiescedFor, instant.Reply.Text);
            return FromInstant(target, plan, instant, worker, null, () => EndAsync(target, worker, taken, quiesce));
        }
        catch (Exception failure)
        {
            if (failure is OperationCanceledException)
            {
                worker.Kill(); // wherever it is: whoever it holds runs at once
            }

            await EndAsync(target, worker, taken, quiesce).ConfigureAwait(false);
            throw;
        }
    }

    private SnapshotSession FromInstant(
        ProcessRef target, CapturePlan plan, WorkerMessageIn instant, WorkerConnection worker, PrecopyCapture? live, Func<ValueTask> end)
    {
        SharedBuffer report = SharedBuffer.Open(instant.TakeDescriptor(WorkerDescriptors.Report)!);
        (ReportHeader header, ReportParts parts, ExtentTable extents) = CaptureReport.Read(report);
        SafeFileHandle? copy = instant.TakeDescriptor(WorkerDescriptors.PauseCopy);
        ProcessDirectory? directory = TryOpen(target);
        var sources = new SnapshotSources
        {
            Regions = parts.Regions,
            Vmas = MapsParser.Parse(parts.Maps, ProcfsLimits.Default),
            Extents = extents,
            Report = report,
            Unreadable = parts.Unreadable,
            Written = parts.Written,
            Live = live?.Coverage,
            PauseCopy = copy is null ? null : SharedBuffer.Open(copy),
            Memory = instant.TakeDescriptor(WorkerDescriptors.Memory),
            Pagemap = instant.TakeDescriptor(WorkerDescriptors.Pagemap),
            LiveMemory = instant.TakeDescriptor(WorkerDescriptors.LiveMemory),
            LivePagemap = instant.TakeDescriptor(WorkerDescriptors.LivePagemap),
            Directory = directory,
            Guard = header.ImagePid != 0 && directory is not null ? new ImageGuard(worker, directory) : null,
            ScratchStart = header.ScratchStart,
            ScratchEnd = header.ScratchEnd,
        };
        SharedBuffer threads = SharedBuffer.Open(instant.TakeDescriptor(WorkerDescriptors.Threads)!);
        SnapshotSession? session = null;
        session = new SnapshotSession(plan, threads, header, parts, sources, async () =>
        {
            _sessions.TryRemove(session!, out _);
            await end().ConfigureAwait(false);
        })
        {
            Rounds = live?.Rounds ?? [],
            ReasonsSincePlan = live is null ? [] : [.. plan.Reasons.Except(live.PlannedReasons)],
        };
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
            Secrets = request.Secrets,
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
        ProcessRef target, TimeSpan timeToLive, TimeSpan maxHold, TimeSpan stopBudget, IDisposable taken, bool quiesces,
        ApproveTarget? approve, CancellationToken cancellationToken)
    {
        using var approver = new Approver(target, approve);
        _journal.Note(target);
        SafeFileHandle? quiesce = quiesces ? _quiesceJournals.Open(target) : null;
        WorkerConnection worker = WorkerConnection.Start(
            _options.WorkerExecutable,
            new WorkerRequest
            {
                Task = WorkerTask.Stop,
                Pid = target.Pid,
                StartTimeTicks = target.StartTimeTicks,
                StopBudgetNanoseconds = stopBudget.Ticks * 100,
                HoldNanoseconds = timeToLive.Ticks * 100,
                AsksFirst = approver.AsksFirst,
            },
            quiesceJournal: quiesce);
        try
        {
            using WorkerMessageIn instant = await approver.NextAsync(worker, cancellationToken).ConfigureAwait(false);
            var lease = new StopLease(target, worker, instant, timeToLive, maxHold, async ended =>
            {
                _leases.TryRemove(ended.Id, out _);
                _quiesceJournals.Close(target, quiesce);
                await TidyAsync(target, ended.EndedCleanly).ConfigureAwait(false);
                taken.Dispose();
            });
            instant.KeepTaken();
            _leases.TryAdd(lease.Id, lease);
            _ = lease.HasEnded && _leases.TryRemove(lease.Id, out _); // before it was there to be removed
            return lease;
        }
        catch
        {
            await EndAsync(target, worker, taken, quiesce).ConfigureAwait(false);
            throw;
        }
    }

    private WorkerRequest ToWorker(WorkerTask task, ProcessRef target, CaptureRequest request, CaptureStrategy strategy, long pauseCopyLimitBytes, Approver approver) => new()
    {
        Task = task,
        Pid = target.Pid,
        StartTimeTicks = target.StartTimeTicks,
        Strategy = strategy,
        Content = request.Content,
        StopBudgetNanoseconds = request.StopBudget.Ticks * 100,
        PauseCopyLimitBytes = pauseCopyLimitBytes,
        SpoolLimitBytes = SpoolLimit(),
        AsksFirst = approver.AsksFirst,
        Secrets = SecretMemoryText.Of(request.Secrets),
    };

    private async ValueTask EndAsync(ProcessRef target, WorkerConnection worker, IDisposable taken, SafeFileHandle? quiesce)
    {
        _ = worker.Send(new WorkerCommand { Kind = WorkerCommandKind.Release });
        bool clean = await ReleasedCleanlyAsync(worker).ConfigureAwait(false);
        await worker.DisposeAsync().ConfigureAwait(false);
        _quiesceJournals.Close(target, quiesce);
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
                new WorkerRequest { Task = WorkerTask.Reap, Pid = target.Pid, StartTimeTicks = target.StartTimeTicks, ImagePid = image });
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
}
