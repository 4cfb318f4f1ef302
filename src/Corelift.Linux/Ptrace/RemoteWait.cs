using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>Waiting for the stops of a task that makes a call.</summary>
internal static class RemoteWait
{
    /// <summary>
    /// A task that does not come back by the deadline is stopped once more, as a task that runs takes no registers: otherwise what
    /// it was made to call would run later, with nobody to see to the result.
    /// </summary>
    internal static PtraceStop ForOrTakeBack(int tid, long deadline)
    {
        const long Patience = 15_000_000;
        try
        {
            return For(tid, deadline);
        }
        catch (RemoteCallException failure) when (failure.Errno == Errno.TimedOut)
        {
            if (PtraceCalls.Interrupt(tid) == Errno.None)
            {
                _ = For(tid, MonotonicClock.Nanoseconds + Patience);
            }

            throw;
        }
    }

    /// <summary>The next stop of a task.</summary>
    /// <exception cref="RemoteCallException">The task ended, or did not stop by the deadline.</exception>
    internal static PtraceStop For(int tid, long deadline)
    {
        while (true)
        {
            if (PtraceCalls.TryWait(tid, out PtraceStop stop, out Errno errno))
            {
                return stop.IsStopped ? stop : throw new RemoteCallException("wait4", tid, Errno.NoSuchTask);
            }

            RemoteCallException.ThrowIfFailed(errno, "wait4", tid);
            if (MonotonicClock.Nanoseconds > deadline)
            {
                throw new RemoteCallException("wait4", tid, Errno.TimedOut);
            }

            TracerSleep.UntilReport(tid);
        }
    }
}
