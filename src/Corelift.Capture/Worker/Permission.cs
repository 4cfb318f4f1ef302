using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>
/// The agent's word that a seized target may be stopped. Until it comes nobody is stopped: tasks that a signal stops in the
/// meantime are let run. Between the word and the stop, an execve is an event of the tracer's; uids are looked at again.
/// </summary>
internal sealed class Permission
{
    private const long ShortWaitNanoseconds = 5_000_000;
    private static readonly TimeSpan s_pumpInterval = TimeSpan.FromMilliseconds(1);

    private readonly bool _isAsked;
    private readonly WorkerReplies _replies;
    private Approval _approval;

    internal Permission(in WorkerRequest request, WorkerReplies replies)
    {
        _isAsked = request.AsksFirst != 0;
        _replies = replies;
    }

    /// <summary>Asks, and waits for the answer.</summary>
    /// <returns>Done where the stop may begin; TargetExeced where the process runs another program since the seize.</returns>
    /// <exception cref="NotApprovedException">The agent said no, or has gone.</exception>
    /// <exception cref="CaptureException">Undecided: no answer within the patience.</exception>
    internal TraceOutcome Await(TraceSession session)
    {
        if (!_isAsked)
        {
            return TraceOutcome.Done;
        }

        _replies.Seized();
        long began = MonotonicClock.Nanoseconds;
        long patience = CaptureEngineOptions.DecisionPatience.Ticks * 100;
        TimeSpan wait = TimeSpan.FromTicks(ShortWaitNanoseconds / 100); // as long as it takes to look; a signal waits that long
        while (MonotonicClock.Nanoseconds - began < patience)
        {
            if (_replies.IsReadable(wait))
            {
                return Take();
            }

            wait = s_pumpInterval;
            TraceOutcome outcome = session.LetSeizedRun();
            if (outcome != TraceOutcome.Done)
            {
                return outcome;
            }
        }

        throw new CaptureException(
            CaptureFailure.Undecided, $"it was not decided within {CaptureEngineOptions.DecisionPatience.TotalSeconds:0} s whether this is allowed: nothing was stopped; try again later");
    }

    /// <summary>After the stop: whether what the decision rests on is still so.</summary>
    /// <exception cref="CaptureException">IdentityChanged. The target is still stopped.</exception>
    internal void Recheck(ProcessDirectory directory)
    {
        if (!_isAsked)
        {
            return;
        }

        Credentials uids = directory.ReadStatus().Uid; // fits the no-GC region, as the other reads of a stop do
        if (uids != _approval.Uids || directory.IsDumpable(uids) != _approval.IsDumpable)
        {
            throw new CaptureException(
                CaptureFailure.IdentityChanged,
                $"process {directory.Pid} changed its user ids, or whether it is dumpable, after it had been decided that it may be stopped: it runs again; look at it anew and try again");
        }
    }

    private TraceOutcome Take()
    {
        if (!_replies.TryReceive(TimeSpan.Zero, out WorkerCommand command) || command.Kind != WorkerCommandKind.GoAhead)
        {
            throw new NotApprovedException();
        }

        _approval = command.ToApproval();
        return TraceOutcome.Done;
    }
}

/// <summary>The agent did not give its permission: the worker ends, and the target never noticed.</summary>
internal sealed class NotApprovedException : Exception;
