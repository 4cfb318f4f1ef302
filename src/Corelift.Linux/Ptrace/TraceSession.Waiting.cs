using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <content>
/// Waiting for the stops. Tasks that sleep in a call which the stop breaks are interrupted when all others stand still: from then
/// until they stand so that they make their calls again, our death leaves those with EINTR. All at once: one by one they lengthened
/// the pause, and a target with thirty of them was harmed as often.
/// </content>
public sealed partial class TraceSession
{
    private const long Patience = 2_000_000;

    private int _fragileCount;
    private int _runningCount; // at the front: they were seized first

    private TraceOutcome WaitForStops()
    {
        RunStep(TeamStep.Wait);
        return FirstFailure();
    }

    private void WaitForShare(int member)
    {
        _results[member] = default;
        if (WaitForRequested(member) && InterruptShare(member, fragile: true))
        {
            PrepareFragile(member);
            _ = WaitForRequested(member);
        }
    }

    /// <summary>
    /// Nothing else is done before all of them stand so that they make their calls again. One that does not stop at once, or has
    /// gone, is left to the wait that follows.
    /// </summary>
    private void PrepareFragile(int member)
    {
        long waitsUntil = MonotonicClock.Nanoseconds + Patience;
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee is not { State: TraceeState.StopRequested, IsFragile: true } || tracee.Owner != member)
            {
                continue;
            }

            if (!InterruptedCalls.TryPrepareEarly(ref tracee) && MonotonicClock.Nanoseconds < waitsUntil)
            {
                TracerSleep.UntilReport(tracee.Tid);
                _ = InterruptedCalls.TryPrepareEarly(ref tracee);
            }
        }
    }

    /// <summary>
    /// One that slept until the stop has stood still since before it, though it was interrupted late. To ask costs a look at /proc:
    /// where they are many, the time of the interrupt stands.
    /// </summary>
    private void BoundSleepers()
    {
        const int MostAsked = 32;
        for (int i = 0; i < StoppedCount && _fragileCount <= MostAsked; i++)
        {
            if (_tracees[i].IsFragile && _calls.SleptUntilStopped(_tracees[i].Tid))
            {
                _tracees[i].InterruptedAt = StopStartedAt;
            }
        }
    }

    /// <summary>
    /// Waits for one task after the other, asleep where one has not stopped: the tracer is SCHED_FIFO, so a task that waits
    /// for its CPU stops only while it sleeps. After those that ran, whose stops make the skew, and others at the front that have
    /// stopped already, it goes on with the one interrupted last: when that has stopped, most of the others have, too, and the
    /// tracer did not take the CPU from them once for each. One that does not come is left for the next pass, since what it waits
    /// for may be the end of another that we must take.
    /// </summary>
    /// <returns>Whether all have stopped or gone; where not, the member's result says why.</returns>
    private bool WaitForRequested(int member)
    {
        const int MostInOrder = 32;
        long movedAt = MonotonicClock.Nanoseconds;
        int pending = CountPending(member);
        while (pending > 0)
        {
            bool turned = false;
            for (int first = 0, last = _count - 1; first <= last;)
            {
                ref Tracee tracee = ref _tracees[turned ? last-- : first++];
                bool isLeft = tracee.State == TraceeState.StopRequested && tracee.Owner == member;
                while (isLeft)
                {
                    if (TryTakeStop(ref tracee, out bool execed))
                    {
                        pending--;
                        movedAt = MonotonicClock.Nanoseconds;
                        break;
                    }

                    _results[member] = new MemberResult
                    {
                        Outcome = execed ? TraceOutcome.TargetExeced : MonotonicClock.Nanoseconds > _deadline ? TraceOutcome.DeadlinePassed : TraceOutcome.Done,
                        BlamedTid = tracee.Tid,
                    };
                    if (_results[member].Outcome != TraceOutcome.Done)
                    {
                        return false;
                    }

                    if (!turned && first > Math.Min(_runningCount, MostInOrder))
                    {
                        turned = true;
                        first--; // its turn comes last
                        break;
                    }

                    isLeft = MonotonicClock.Nanoseconds - movedAt < Patience;
                    if (isLeft)
                    {
                        TracerSleep.UntilReport(tracee.Tid);
                    }
                }
            }

            if (pending > 0 && MonotonicClock.Nanoseconds - movedAt >= Patience)
            {
                MonotonicClock.Relax(LongestRelaxNanoseconds);
            }
        }

        return true;
    }

    private int CountPending(int member)
    {
        int pending = 0;
        for (int i = 0; i < _count; i++)
        {
            pending += _tracees[i].State == TraceeState.StopRequested && _tracees[i].Owner == member ? 1 : 0;
        }

        return pending;
    }

    private bool TryTakeStop(ref Tracee tracee, out bool execed)
    {
        execed = false;
        if (!PtraceCalls.TryWait(tracee.Tid, out PtraceStop stop, out Errno errno))
        {
            if (errno == Errno.NoChild)
            {
                tracee.State = TraceeState.Gone;
                return true;
            }

            return false;
        }

        if (stop is { Kind: PtraceStopKind.Event, Event: PtraceStop.EventExec })
        {
            tracee.State = TraceeState.Stopped; // to be detached
            execed = true;
            return false;
        }

        tracee.State = stop.IsStopped ? TraceeState.Stopped : TraceeState.Gone;
        tracee.Kind = stop.Kind;
        tracee.Signal = stop.Signal;
        tracee.StoppedAt = MonotonicClock.Nanoseconds;
        PrepareCall(ref tracee);
        return true;
    }

    /// <summary>
    /// At once, and not only when all have stopped: until it is done, our death would leave the task's call with EINTR.
    /// </summary>
    private void PrepareCall(ref Tracee tracee)
    {
        if (tracee.State == TraceeState.Stopped
            && (tracee.MakesCallAgain || PtraceCalls.GetRegisters(tracee.Tid, out tracee.Registers) == Errno.None)
            && PtraceCalls.GetSignalMask(tracee.Tid, out tracee.Blocked) == Errno.None)
        {
            tracee.HasRegisters = true;
            _calls.Prepare(ref tracee);
        }
    }
}
