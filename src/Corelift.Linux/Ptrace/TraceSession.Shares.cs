using System.Runtime.InteropServices;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <content>What one tracer thread does for the tasks that it seized, and for those alone.</content>
public sealed partial class TraceSession
{
    private struct MemberResult
    {
        internal TraceOutcome Outcome;
        internal int BlamedTid;
    }

    /// <param name="step">What to do.</param>
    /// <param name="sleeps">Whether the calling thread may give its CPU away while it waits for the others.</param>
    private void RunStep(TeamStep step, bool sleeps = true)
    {
        if (_team is null)
        {
            Work(0, step);
        }
        else
        {
            _team.Run(step, sleeps);
        }
    }

    private void Work(int member, TeamStep step)
    {
        switch (step)
        {
            case TeamStep.RaisePriority:
                _ = SelfControl.RaisePriority();
                break;
            case TeamStep.LowerPriority:
                SelfControl.LowerPriority();
                break;
            case TeamStep.HoldPriority:
                SelfControl.LowerPriority(nice: -20);
                break;
            case TeamStep.Seize:
                SeizeShare(member);
                break;
            case TeamStep.LetRun:
                LetShareRun(member);
                break;
            case TeamStep.Interrupt:
                InterruptShare(member);
                break;
            case TeamStep.RestoreSchedules:
                RestoreShare(member);
                break;
            case TeamStep.Wait:
                WaitForShare(member);
                break;
            case TeamStep.Read:
                ReadShare(member);
                break;
            case TeamStep.Resume:
                ResumeShare(member);
                break;
            case TeamStep.ResumeShortened:
                ResumeShortened(member);
                break;
            case TeamStep.ResumeRest:
                ResumeRest(member);
                break;
            default:
                break;
        }
    }

    private TraceOutcome WaitForStops()
    {
        RunStep(TeamStep.Wait);
        return FirstFailure();
    }

    private TraceOutcome FirstFailure()
    {
        BlamedTid = 0;
        TraceOutcome outcome = TraceOutcome.Done;
        foreach (MemberResult result in _results)
        {
            // That the process has gone or is another program says more than that one did not stop in time.
            if (result.Outcome != TraceOutcome.Done && outcome is TraceOutcome.Done or TraceOutcome.DeadlinePassed)
            {
                outcome = result.Outcome;
                BlamedTid = result.BlamedTid;
            }
        }

        return outcome;
    }

    private void SeizeShare(int member)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_tracees[i].State == TraceeState.Found && _tracees[i].Owner == member)
            {
                SeizeFound(member, ref _tracees[i]);
            }
        }
    }

    private void SeizeFound(int member, ref Tracee tracee)
    {
        Volatile.Write(ref _seizingSince[member], MonotonicClock.Nanoseconds);
        tracee.Failure = PtraceCalls.Seize(tracee.Tid, TargetOptions);
        Volatile.Write(ref _seizingSince[member], 0);
        tracee.State = tracee.Failure == Errno.None ? TraceeState.Seized : TraceeState.Gone;
    }

    private void InterruptShare(int member)
    {
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State == TraceeState.Seized && tracee.Owner == member)
            {
                tracee.State = TraceeState.StopRequested; // a task that has gone shows in the wait
                _ = PtraceCalls.Interrupt(tracee.Tid);
                tracee.InterruptedAt = MonotonicClock.Nanoseconds;
            }
        }
    }

    /// <summary>
    /// Waits for one task after the other, sleeping where one has not stopped: the tracer is SCHED_FIFO, so a task that waits
    /// for its CPU stops only while it sleeps. Asking all of them again each time took up to 0.9 s for 10,000 (measured). One
    /// that does not come is left for the next pass, since what it waits for may be the end of another that we must take.
    /// </summary>
    private void WaitForShare(int member)
    {
        const long NanosecondsPerStop = 2_000;
        const long Patience = 2_000_000;
        _results[member] = default;
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
                        return;
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
            && PtraceCalls.GetRegisters(tracee.Tid, out tracee.Registers) == Errno.None
            && PtraceCalls.GetSignalMask(tracee.Tid, out tracee.Blocked) == Errno.None)
        {
            tracee.HasRegisters = true;
            _calls.Prepare(ref tracee);
        }
    }

    private void ReadShare(int member)
    {
        _results[member] = default;
        for (int i = 0; i < StoppedCount; i++)
        {
            if (_tracees[i].Owner == member && !TryRead(i, _records!, ref _tracees[i], out TraceOutcome outcome))
            {
                _results[member] = new MemberResult { Outcome = outcome, BlamedTid = _tracees[i].Tid };
                return;
            }
        }
    }

    private unsafe bool TryRead(int index, ThreadRecords records, ref Tracee tracee, out TraceOutcome outcome)
    {
        int xstateLength = records.MaxXStateBytes;
        bool hasSigInfo;
        if (!tracee.HasRegisters)
        {
            PrepareCall(ref tracee);
        }

        if (!tracee.HasRegisters)
        {
            outcome = PtraceCalls.GetRegisters(tracee.Tid, out _) == Errno.NoSuchTask ? TraceOutcome.TargetExited : TraceOutcome.UnsupportedArchitecture;
            return false;
        }

        // Not asked for again: who makes a call again has others by now.
        MemoryMarshal.Write(records.GeneralBuffer(index), in tracee.Registers);
        fixed (byte* xstate = records.XStateBuffer(index), sigInfo = records.SigInfoBuffer(index))
        {
            _ = PtraceCalls.GetRegisterSet(tracee.Tid, NoteType.X86XState, xstate, ref xstateLength);
            hasSigInfo = PtraceCalls.GetSignalInfo(tracee.Tid, sigInfo) == Errno.None;
        }

        if (tracee.Kind == PtraceStopKind.Interrupted && (tracee.IsHeld || InterruptedCall.IsInside(tracee.Registers)))
        {
            tracee.StoppedAt = Math.Min(tracee.StoppedAt, tracee.InterruptedAt);
        }

        int flags = (tracee.Kind == PtraceStopKind.GroupStop ? 1 : 0) | (hasSigInfo ? 2 : 0);
        int signal = tracee.Kind == PtraceStopKind.SignalDelivery ? tracee.Signal : 0;
        records.SetHeader(index, tracee.Tid, flags, signal, xstateLength, tracee.StoppedAt - StopStartedAt, tracee.Blocked);
        outcome = TraceOutcome.Done;
        return true;
    }
}
