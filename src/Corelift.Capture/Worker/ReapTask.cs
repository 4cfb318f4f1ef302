using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>
/// Has a target reap a dead image. An image has no exit signal, so neither the target nor the kernel does it by itself; one
/// thread of the target is stopped for some ten microseconds to make the wait4.
/// </summary>
internal static class ReapTask
{
    private const long Patience = 1_000_000_000;
    private const int Attempts = 5;

    internal static void Run(WorkerRequest request, WorkerReplies replies, WorkerClock clock)
    {
        clock.StopEnds();
        replies.Released(0, Reap(request.Pid, request.StartTimeTicks, request.ImagePid));
    }

    /// <returns>Empty where the image is gone, or why it is not.</returns>
    internal static string Reap(int pid, ulong startTimeTicks, int imagePidInTarget)
    {
        string reason = string.Empty;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                reason = TryReap(pid, startTimeTicks, imagePidInTarget);
            }
            catch (CaptureException failure) when (failure.Failure is CaptureFailure.NoSuchProcess or CaptureFailure.TargetExited or CaptureFailure.Zombie or CaptureFailure.IdentityChanged)
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

            MonotonicClock.Relax(20_000_000);
        }

        return reason;
    }

    private static string TryReap(int pid, ulong startTimeTicks, int imagePidInTarget)
    {
        using ProcessDirectory directory = TargetFacts.Open(new ProcessRef(pid, startTimeTicks));
        TargetFacts facts = TargetFacts.Read(directory);
        if (RemoteCodeFinder.Find(facts.Directory, facts.Vmas.ConvertAll(v => v.Vma), out RemoteCode code) is { } refusal)
        {
            return refusal;
        }

        using var session = new TraceSession(directory, 1);
        using SharedBuffer buffer = SharedBuffer.Create("corelift-threads", ThreadRecords.Stride());
        var records = new ThreadRecords(buffer, 0, ThreadRecords.Stride());

        try
        {
            return TryReap(session, records, code, facts, imagePidInTarget);
        }
        finally
        {
            session.ResumeAll();
            session.Settle();
        }
    }

    private static string TryReap(TraceSession session, ThreadRecords records, RemoteCode code, TargetFacts facts, int imagePidInTarget)
    {
        // The main thread where it lives, as the frame lies on its stack: then nobody runs who could come to need that place.
        TraceOutcome outcome = session.SeizeOne(facts.Directory.Tid);
        session.LookAhead(facts.Vmas.ConvertAll(v => v.Vma));
        long deadline = MonotonicClock.Nanoseconds + Patience;
        outcome = outcome == TraceOutcome.Done ? session.StopAll(deadline, wholeProcess: false) : outcome;
        outcome = outcome == TraceOutcome.Done ? session.ReadRegisters(records) : outcome;
        if (outcome != TraceOutcome.Done)
        {
            return $"its main thread could not be stopped ({outcome})";
        }

        if (RemoteCaller.Prepare(session, records, code, out string refusal) is not { } caller)
        {
            return refusal;
        }

        bool reaped = ProcessImage.Reap(caller, imagePidInTarget, deadline);
        caller.Restore();
        return reaped ? string.Empty : "the target's wait4 does not know the image";
    }
}
