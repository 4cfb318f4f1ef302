namespace Corelift.Linux.Ptrace;

/// <content>Between the seize and the stop, while somebody decides whether there is to be a stop at all.</content>
public sealed partial class TraceSession
{
    /// <summary>
    /// Lets seized tasks run on that stopped by themselves: a seized task stops at each signal, and stays so until its tracer
    /// says otherwise. Group-stopped ones stay group-stopped. To be called again and again, where the stop does not follow at once.
    /// </summary>
    /// <returns>Done; TargetExeced where a task called execve, which then stands still and is detached by <see cref="ResumeAll"/>.</returns>
    public TraceOutcome LetSeizedRun()
    {
        RunStep(TeamStep.LetRun);
        return FirstFailure();
    }

    /// <summary>Seizes tasks that were born since <see cref="SeizeAll"/>. Stops nobody.</summary>
    public TraceOutcome SeizeNewborn() => SeizeNew(SeizeMode.InOrder, out _);

    private void LetShareRun(int member)
    {
        _results[member] = default;
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State != TraceeState.Seized || tracee.Owner != member)
            {
                continue;
            }

            if (!PtraceCalls.TryWait(tracee.Tid, out PtraceStop stop, out Errno errno))
            {
                tracee.State = errno == Errno.NoChild ? TraceeState.Gone : TraceeState.Seized;
            }
            else if (stop is { Kind: PtraceStopKind.Event, Event: PtraceStop.EventExec })
            {
                tracee.State = TraceeState.Stopped; // to be detached
                _results[member] = new MemberResult { Outcome = TraceOutcome.TargetExeced, BlamedTid = tracee.Tid };
                return;
            }
            else
            {
                LetRun(ref tracee, stop);
            }
        }
    }

    private static void LetRun(ref Tracee tracee, PtraceStop stop)
    {
        switch (stop.Kind)
        {
            case PtraceStopKind.Ended:
                tracee.State = TraceeState.Gone;
                break;
            case PtraceStopKind.GroupStop:
                _ = PtraceCalls.Listen(tracee.Tid);
                break;
            case PtraceStopKind.SignalDelivery:
                _ = PtraceCalls.Continue(tracee.Tid, stop.Signal);
                break;
            default:
                _ = PtraceCalls.Continue(tracee.Tid, 0);
                break;
        }
    }
}
