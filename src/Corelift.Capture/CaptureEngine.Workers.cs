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
        WorkerConnection worker = await StartWorkerAsync(
            target, ToWorker(WorkerTask.Capture, target, request, plan.Strategy, request.PauseCopyLimitBytes, approver), taken, spool).ConfigureAwait(false);
        try
        {
            using WorkerMessageIn instant = await approver.NextAsync(worker, cancellationToken).ConfigureAwait(false);
            plan = WithQuiesce(plan, instant.QuiescedFor, instant.Reply.Text);
            return FromInstant(target, plan, instant, worker, null, () => EndAsync(target, worker, taken));
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
            PauseCopy = copy is null || header.CopyAddress != 0 ? null : SharedBuffer.Open(copy),
            WorkerCopy = copy is null || header.CopyAddress == 0 ? null : new WorkerCopy(copy, header.CopyAddress, worker),
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

        IDisposable use = lease.Use();
        try
        {
            return new SnapshotSession(plan, lease.ThreadBuffer, lease.Header, lease.Parts, SourcesOf(lease, request), () =>
            {
                use.Dispose();
                return release();
            })
            {
                StillStopped = true,
                OwnsThreads = false,
            };
        }
        catch
        {
            use.Dispose();
            throw;
        }
    }

    private static SnapshotSources SourcesOf(StopLease lease, CaptureRequest request)
    {
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
            DebuggerPages = request.Content == CaptureContent.Stacks ? DebuggerPages.Find(new MemFileWords(lease.Memory!).TryRead, lease.Parts.Auxv) : [],
        });
        return new SnapshotSources
        {
            Regions = RegionPlanner.Plan(vmas, facts.Vmas, selector, CaptureStrategy.Direct, copiesInPause: false),
            Vmas = vmas,
            Memory = lease.Memory,
            Pagemap = lease.Pagemap,
            Directory = TryOpen(lease.Target),
            Lease = lease,
        };
    }

    private async Task<StopLease> StartLeaseAsync(
        ProcessRef target, TimeSpan timeToLive, TimeSpan maxHold, TimeSpan stopBudget, IDisposable taken, bool quiesces,
        ApproveTarget? approve, CancellationToken cancellationToken)
    {
        using var approver = new Approver(target, approve);
        _journal.Note(target);
        WorkerConnection worker = await StartWorkerAsync(
            target,
            new WorkerRequest
            {
                Task = WorkerTask.Stop,
                Pid = target.Pid,
                StartTimeTicks = target.StartTimeTicks,
                StopBudgetNanoseconds = stopBudget.Ticks * 100,
                HoldNanoseconds = timeToLive.Ticks * 100,
                Quiesces = quiesces ? 1 : 0,
                AsksFirst = approver.AsksFirst,
            },
            taken).ConfigureAwait(false);
        try
        {
            using WorkerMessageIn instant = await approver.NextAsync(worker, cancellationToken).ConfigureAwait(false);
            var lease = new StopLease(target, worker, instant, timeToLive, maxHold, async ended =>
            {
                _leases.TryRemove(ended.Id, out _);
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
            await EndAsync(target, worker, taken).ConfigureAwait(false);
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
        Quiesces = request.Quiesces ? 1 : 0,
        AsksFirst = approver.AsksFirst,
        Secrets = SecretMemoryText.Of(request.Secrets),
    };

    /// <summary>Has a worker started; where there is none, the target is not taken any more.</summary>
    private async Task<WorkerConnection> StartWorkerAsync(ProcessRef target, WorkerRequest request, IDisposable taken, SafeFileHandle? spool = null)
    {
        try
        {
            return await WorkerConnection.StartAsync(_supervisor, request, spool).ConfigureAwait(false);
        }
        catch
        {
            _journal.Forget(target); // nothing was done
            taken.Dispose();
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

    /// <summary>The /proc directory of a process; null where it has gone, or another has its pid.</summary>
    internal static ProcessDirectory? TryOpen(ProcessRef target)
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
