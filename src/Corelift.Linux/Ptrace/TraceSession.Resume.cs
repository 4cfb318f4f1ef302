namespace Corelift.Linux.Ptrace;

/// <content>Letting the tasks of a share run on, in an order in which calls that are made again get their remaining time.</content>
public sealed partial class TraceSession
{
    private readonly Lock _shortening = new();

    private void ResumeShare(int member)
    {
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State == TraceeState.Stopped && tracee.Owner == member && !_calls.IsHeldBack(tracee))
            {
                Release(ref tracee);
            }
        }
    }

    /// <summary>One member after the other, as all put remaining times into one place: the main thread's stack.</summary>
    private void ResumeShortened(int member)
    {
        lock (_shortening)
        {
            for (int i = 0; i < _count; i++)
            {
                ref Tracee tracee = ref _tracees[i];
                if (tracee.State == TraceeState.Stopped && tracee.Owner == member && tracee.Tid != _directory.Pid)
                {
                    _calls.Shorten(ref tracee);
                    Release(ref tracee);
                }
            }
        }
    }

    /// <summary>The main thread last, as remaining times lie on its stack.</summary>
    private void ResumeRest(int member)
    {
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State == TraceeState.Stopped && tracee.Owner == member)
            {
                _calls.Shorten(ref tracee);
                Release(ref tracee);
            }
        }
    }

    private void Release(ref Tracee tracee)
    {
        _calls.Recheck(ref tracee);
        int signal = tracee.Kind == PtraceStopKind.SignalDelivery ? tracee.Signal : 0;
        _ = PtraceCalls.Detach(tracee.Tid, signal); // ESRCH: killed while stopped, so nothing is left to release
        tracee.State = TraceeState.Gone;
    }
}
