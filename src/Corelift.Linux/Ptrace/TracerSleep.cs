using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// How tracer threads wait for a stop: asleep in waitid(2), so that the kernel wakes them at the very moment. To look again and
/// again between short sleeps costs more than the stop: setting a timer takes 10 us in a virtual machine, and a SCHED_FIFO thread
/// whose sleep is shorter than that never leaves its CPU to the task that it waits for (measured: 0.8 ms for a stop of 50 us).
/// waitid has no timeout: whoever keeps the process's clock calls <see cref="Prepare"/> before the first session, and then
/// <see cref="WakeOverdue"/> every few milliseconds, which ends sleeps by a signal with a handler that does nothing.
/// </summary>
public static unsafe class TracerSleep
{
    internal const int Urgent = 23; // SIGURG: ignored where it has no handler, and nobody else's here

    private const int MostSleepers = 16;
    private const long LongestSleep = 1_000_000;

    private static readonly Sleeper[] s_sleepers = new Sleeper[MostSleepers];

    /// <summary>
    /// Sets up the signal's handler. None of our own: managed code cannot run wherever a signal may find a thread. abs(3) does
    /// nothing to anybody.
    /// </summary>
    /// <exception cref="SyscallException">The kernel refused.</exception>
    public static void Prepare()
    {
        nint library = NativeLibrary.Load("libc.so.6");
        var action = new SignalAction { Handler = NativeLibrary.GetExport(library, "abs") }; // no SA_RESTART: waitid is to return
        if (LibC.Sigaction(Urgent, &action, null) != 0)
        {
            throw SyscallException.FromLastError("sigaction", 0);
        }
    }

    /// <summary>Wakes tracer threads that have slept for a millisecond, to look at their deadlines.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    public static void WakeOverdue(long now)
    {
        foreach (ref Sleeper sleeper in s_sleepers.AsSpan())
        {
            int tid = Volatile.Read(ref sleeper.Tid);
            if (tid > 0 && now - Volatile.Read(ref sleeper.Since) > LongestSleep)
            {
                // One that has just woken gets it too: what it then does is no sleep, or begins anew after EINTR.
                _ = LibC.Tgkill(Environment.ProcessId, tid, Urgent);
            }
        }
    }

    /// <summary>Sleeps until a task that the calling thread traces has something to report, or a few milliseconds. Takes no report.</summary>
    internal static void UntilReport(int tid)
    {
        ref Sleeper mine = ref Enter();
        PtraceCalls.AwaitReport(tid);
        Volatile.Write(ref mine.Tid, 0);
    }

    /// <summary>A free place; there are more of them than tracer threads in a process.</summary>
    private static ref Sleeper Enter()
    {
        const int Taken = -1;
        int tid = LibC.Gettid();
        while (true)
        {
            foreach (ref Sleeper sleeper in s_sleepers.AsSpan())
            {
                if (Interlocked.CompareExchange(ref sleeper.Tid, Taken, 0) == 0)
                {
                    Volatile.Write(ref sleeper.Since, MonotonicClock.Nanoseconds);
                    Volatile.Write(ref sleeper.Tid, tid);
                    return ref sleeper;
                }
            }
        }
    }

    private struct Sleeper
    {
        internal int Tid;
        internal long Since;
    }
}
