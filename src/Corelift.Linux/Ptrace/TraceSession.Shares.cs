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
                _ = InterruptShare(member, fragile: false); // the others: see WaitForShare
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

    /// <returns>Whether there was one to interrupt.</returns>
    private bool InterruptShare(int member, bool fragile)
    {
        bool any = false;
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State == TraceeState.Seized && tracee.Owner == member && tracee.IsFragile == fragile)
            {
                any = true;
                tracee.State = TraceeState.StopRequested; // a task that has gone shows in the wait
                _ = PtraceCalls.Interrupt(tracee.Tid);
                tracee.InterruptedAt = MonotonicClock.Nanoseconds;
            }
        }

        return any;
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
