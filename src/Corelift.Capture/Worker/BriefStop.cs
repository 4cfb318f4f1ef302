using Corelift.Capture.Planning;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>Stops the main thread of a target alone, some hundred microseconds, to make calls in it. The others run.</summary>
internal static class BriefStop
{
    /// <summary>
    /// Stops, calls, resumes. The main thread where it lives, as the frame lies on its stack: then nobody runs who could come to
    /// need that place.
    /// </summary>
    /// <param name="facts">The target, from just before.</param>
    /// <param name="directory">Its /proc directory.</param>
    /// <param name="clock">Ends the worker where the stop overruns.</param>
    /// <param name="patienceNanoseconds">Longest time for all of it.</param>
    /// <param name="work">Gets the prepared thread and the deadline; returns empty, or why it did not work.</param>
    /// <param name="stoppedNanoseconds">How long the thread was stopped.</param>
    /// <param name="permission">Asked before the stop; null where it was given before.</param>
    /// <returns>Empty, or why it did not work: one sentence.</returns>
    internal static string Run(
        TargetFacts facts,
        ProcessDirectory directory,
        WorkerClock clock,
        long patienceNanoseconds,
        Func<RemoteCaller, long, string> work,
        out long stoppedNanoseconds,
        Permission? permission = null)
    {
        stoppedNanoseconds = 0;
        if (facts.NoCallsBecause is { } reason)
        {
            return reason;
        }

        if (RemoteCodeFinder.Find(facts.Directory, facts.Vmas.ConvertAll(v => v.Vma), out RemoteCode code) is { } refusal)
        {
            return refusal;
        }

        using var session = new TraceSession(directory, 1);
        using SharedBuffer buffer = SharedBuffer.Create("corelift-threads", ThreadRecords.Stride());
        var records = new ThreadRecords(buffer, 0, ThreadRecords.Stride());
        try
        {
            TraceOutcome outcome = session.SeizeOne(facts.Directory.Tid);
            outcome = outcome == TraceOutcome.Done && permission is not null ? permission.Await(session) : outcome;
            _ = SelfControl.RaisePriority();
            session.LookAhead(facts.Vmas.ConvertAll(v => v.Vma));
            long deadline = MonotonicClock.Nanoseconds + patienceNanoseconds;
            clock.StopBegins(deadline);
            outcome = outcome == TraceOutcome.Done ? session.StopAll(deadline, wholeProcess: false) : outcome;
            if (outcome == TraceOutcome.Done)
            {
                permission?.Recheck(directory);
                outcome = session.ReadRegisters(records);
            }

            return outcome == TraceOutcome.Done
                ? Call(session, records, code, deadline, work)
                : $"its main thread could not be stopped ({outcome})";
        }
        finally
        {
            session.ResumeAll();
            stoppedNanoseconds = session.StopStartedAt == 0 ? 0 : MonotonicClock.Nanoseconds - session.StopStartedAt;
            clock.StopEnds();
            session.Settle();
            SelfControl.LowerPriority();
        }
    }

    private static string Call(
        TraceSession session, ThreadRecords records, RemoteCode code, long deadline, Func<RemoteCaller, long, string> work)
    {
        if (RemoteCaller.Prepare(session, records, code, out string refusal) is not { } caller)
        {
            return refusal;
        }

        try
        {
            return work(caller, deadline);
        }
        finally
        {
            caller.Restore();
        }
    }
}
