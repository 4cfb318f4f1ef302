using Corelift.Capture.Planning;
using Corelift.Capture.Sessions;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>
/// Sees to what a lost worker left in a target. A job-stopped thread cannot run back through its frame: it is put back from
/// here. A dead image has no exit signal, so neither the target nor the kernel reaps it by itself; one thread of the target is
/// stopped for some ten microseconds to make the wait4.
/// </summary>
internal static class ReapTask
{
    private const long Patience = 1_000_000_000;
    private const int Attempts = 5;
    private const long BetweenAttempts = 20_000_000;

    internal static void Run(WorkerRequest request, WorkerReplies replies, WorkerClock clock)
    {
        var target = new ProcessRef(request.Pid, request.StartTimeTicks);
        string reason = IsJobStopped(target) ? TakeBackThreads(target, clock) : string.Empty;

        // A front end may have been taken over: the target's own children are not for it to reap.
        string left = ImageJournal.IsDeadImage(target, request.ImagePid)
            ? Reap(request.Pid, request.StartTimeTicks, request.ImagePid, clock)
            : string.Empty;
        replies.Released(0, left.Length > 0 ? left : reason);
    }

    /// <summary>Whether a target is job-stopped: any of its threads tells. False for one that has gone.</summary>
    internal static bool IsJobStopped(ProcessRef target) => TargetFacts.AnyTask(target, status => status.State == 'T');

    /// <returns>Empty, or why it is not done.</returns>
    private static string TakeBackThreads(ProcessRef target, WorkerClock clock)
    {
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                if (TryTakeBackThreads(target, clock))
                {
                    return string.Empty;
                }
            }
            catch (Exception failure) when (IsGone(failure))
            {
                return string.Empty; // it ended meanwhile, and nothing of ours is in it any more
            }

            MonotonicClock.Relax(BetweenAttempts);
        }

        return "its threads could not be stopped to be put back";
    }

    /// <summary>All threads stand still before and after; only one that a lost worker left in a call is changed.</summary>
    private static bool TryTakeBackThreads(ProcessRef target, WorkerClock clock)
    {
        using ProcessDirectory directory = TargetFacts.Open(target, mayBeTraced: true); // then it is tried again
        int threads = TargetFacts.CountThreads(directory);
        using var session = new TraceSession(directory, 1); // one tracer: it is that one's requests that the kernel takes
        int room = threads + (threads / 4) + 64;
        using SharedBuffer buffer = SharedBuffer.Create("corelift-threads", (long)room * ThreadRecords.Stride());
        long deadline = MonotonicClock.Nanoseconds + Patience;
        clock.StopBegins(deadline);
        try
        {
            bool isStopped = session.SeizeAll(deadline) == TraceOutcome.Done
                && session.StopAll(deadline) == TraceOutcome.Done
                && session.StoppedCount <= room
                && session.ReadRegisters(new ThreadRecords(buffer, 0, ThreadRecords.Stride())) == TraceOutcome.Done;
            if (isStopped)
            {
                session.TakeBackFromFrames();
            }

            return isStopped;
        }
        finally
        {
            session.ResumeAll();
            clock.StopEnds();
            session.Settle();
            SelfControl.LowerPriority();
        }
    }

    /// <returns>Empty where the image is gone, or why it is not.</returns>
    internal static string Reap(int pid, ulong startTimeTicks, int imagePidInTarget, WorkerClock clock)
    {
        string reason = string.Empty;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                reason = TryReap(pid, startTimeTicks, imagePidInTarget, clock);
            }
            catch (Exception failure) when (IsGone(failure))
            {
                return string.Empty; // the image went to another parent together with the target's other children
            }
            catch (Exception failure) when (failure is CaptureException or SyscallException or RemoteCallException)
            {
                reason = failure.Message;
            }

            if (reason.Length == 0)
            {
                return reason;
            }

            MonotonicClock.Relax(BetweenAttempts);
        }

        return reason;
    }

    private static bool IsGone(Exception failure) => failure switch
    {
        CaptureException capture => capture.Failure is CaptureFailure.NoSuchProcess or CaptureFailure.TargetExited or CaptureFailure.Zombie or CaptureFailure.IdentityChanged,
        SyscallException call => call.IsTaskGone,
        _ => false,
    };

    private static string TryReap(int pid, ulong startTimeTicks, int imagePidInTarget, WorkerClock clock)
    {
        using ProcessDirectory directory = TargetFacts.Open(new ProcessRef(pid, startTimeTicks));
        return BriefStop.Run(TargetFacts.Read(directory), directory, clock, Patience, (caller, deadline) =>
            ProcessImage.Reap(caller, imagePidInTarget, deadline) ? string.Empty : "the target's wait4 does not know the image", out _);
    }
}
