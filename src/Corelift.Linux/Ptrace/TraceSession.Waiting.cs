using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <content>
/// Waiting for the stops. Tasks that sleep in a call which the stop breaks are interrupted when all others stand still: from then
/// until they stand so that they make their calls again, our death leaves those with EINTR. All at once: one by one they lengthened
/// the pause, and a target with thirty of them was harmed as often.
/// </content>
public sealed partial class TraceSession
{
    private int _fragileCount;

    private TraceOutcome WaitForStops()
    {
        RunStep(TeamStep.Wait);
        return FirstFailure();
    }

    private void WaitForShare(int member)
    {
        const long UsualNanoseconds = 8_000;
        _results[member] = default;
        if (WaitForRequested(member) && InterruptShare(member, fragile: true))
        {
            MonotonicClock.Spin(UsualNanoseconds); // a look that comes too early, and the sleep after it, take longer
            _ = WaitForRequested(member);
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
    /// Waits for one task after the other, sleeping where one has not stopped: the tracer is SCHED_FIFO, so a task that waits
    /// for its CPU stops only while it sleeps. Asking all of them again each time took up to 0.9 s for 10,000 (measured). One
    /// that does not come is left for the next pass, since what it waits for may be the end of another that we must take.
    /// </summary>
    /// <returns>Whether all have stopped or gone; where not, the member's result says why.</returns>
    private bool WaitForRequested(int member)
    {
        const long NanosecondsPerStop = 2_000;
        const long Patience = 2_000_000;
        long movedAt = MonotonicClock.Nanoseconds;
        int pending = CountPending(member);
        while (pending > 0)
        {
            for (int i = 0; i < _count; i++)
            {
                ref Tracee tracee = ref _tracees[i];
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

                    isLeft = MonotonicClock.Nanoseconds - movedAt < Patience;
                    if (isLeft)
                    {
                        long waited = (MonotonicClock.Nanoseconds - movedAt) / 16; // see MonotonicClock.RelaxSince
                        MonotonicClock.Relax(Math.Clamp(Math.Max(pending * NanosecondsPerStop, waited), ShortestRelaxNanoseconds, LongestRelaxNanoseconds));
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
        if (tracee.IsFragile && !tracee.MakesCallAgain)
        {
            InterruptedCalls.PrepareEarly(ref tracee);
        }

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
