using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <content>
/// Waiting for the stops. Tasks that sleep in a call which the stop breaks are interrupted when all others stand still: from then
/// until they stand so that they make their calls again, our death leaves those with EINTR. All at once: one by one they lengthened
/// the pause, and a target with thirty of them was harmed as often.
/// </content>
public sealed partial class TraceSession
{
    /// <summary>Of so many each is asked whether it slept on: a look at /proc for each.</summary>
    private const int MostAsked = 32;

    private TraceOutcome WaitForStops()
    {
        RunStep(TeamStep.Wait);
        return FirstFailure();
    }

    private void WaitForShare(int member)
    {
        _results[member] = default;
        if (WaitForRequested(member) && CountFragile(member) is > 0 and int fragile)
        {
            InterruptFragile(member, asks: fragile <= MostAsked);
            _ = WaitForRequested(member);
        }
    }

    private int CountFragile(int member)
    {
        int fragile = 0;
        for (int i = 0; i < _count; i++)
        {
            fragile += _tracees[i].IsFragile && _tracees[i].State == TraceeState.Seized && _tracees[i].Owner == member ? 1 : 0;
        }

        return fragile;
    }

    /// <summary>
    /// One that has slept since before the stop has stood still since then, though it is interrupted late. That is asked of all
    /// before the first is interrupted.
    /// </summary>
    private void InterruptFragile(int member, bool asks)
    {
        const long UsualNanoseconds = 8_000;
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (asks && tracee.IsFragile && tracee.State == TraceeState.Seized && tracee.Owner == member)
            {
                tracee.SleptOn = _calls.SleepsOn(tracee.Tid);
            }
        }

        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.IsFragile && tracee.State == TraceeState.Seized && tracee.Owner == member)
            {
                Interrupt(ref tracee);
                tracee.InterruptedAt = tracee.SleptOn ? StopStartedAt : tracee.InterruptedAt;
            }
        }

        MonotonicClock.Spin(UsualNanoseconds); // a look that comes too early, and the sleep after it, take longer
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
