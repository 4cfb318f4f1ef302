using Corelift.Linux.Interop;

namespace Corelift.Linux.Processes;

/// <summary>CLOCK_MONOTONIC, and the short waits between two looks at a fact.</summary>
public static unsafe class MonotonicClock
{
    private const int Monotonic = 1; // CLOCK_MONOTONIC

    /// <summary>Nanoseconds of CLOCK_MONOTONIC; the same for all processes of the host.</summary>
    public static long Nanoseconds
    {
        get
        {
            TimeSpec time;
            _ = LibC.ClockGettime(Monotonic, &time);
            return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
        }
    }

    /// <summary>
    /// Gives the CPU away between two polls of a fact, the longer the longer it has been waited for (a 64th of it, 10 us to 1 ms).
    /// Those who wait are SCHED_FIFO, and those they wait for are not: twenty tracers that poll every 10 us leave two CPUs no
    /// time for the tasks that are to stop.
    /// </summary>
    /// <param name="since">When the waiting began.</param>
    public static void RelaxSince(long since) => Relax(Math.Clamp((Nanoseconds - since) / 64, 10_000, 1_000_000));

    /// <summary>Gives the CPU away for about this long; used between two polls of a fact, never to wait for a guess.</summary>
    public static void Relax(long nanoseconds)
    {
        var time = new TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        _ = LibC.ClockNanosleep(Monotonic, 0, &time, null);
    }
}
