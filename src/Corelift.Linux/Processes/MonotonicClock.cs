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

    /// <summary>Gives the CPU away for about this long; used between two polls of a fact, never to wait for a guess.</summary>
    public static void Relax(long nanoseconds)
    {
        var time = new TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        _ = LibC.ClockNanosleep(Monotonic, 0, &time, null);
    }
}
