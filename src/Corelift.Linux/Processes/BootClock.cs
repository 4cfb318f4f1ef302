using Corelift.Linux.Interop;

namespace Corelift.Linux.Processes;

/// <summary>The time base of start times in /proc: clock ticks since boot, suspended time counted.</summary>
public static unsafe class BootClock
{
    /// <summary>Clock ticks in a second, as /proc counts them (USER_HZ): 100 on every architecture here.</summary>
    public const int TicksPerSecond = 100;

    private const int BootTime = 7; // CLOCK_BOOTTIME
    private const int MicrosecondsPerTick = 1_000_000 / TicksPerSecond;

    // Once for the life of the agent, so that one process has one start time in all answers.
    private static readonly DateTimeOffset s_boot = ReadBoot();

    /// <summary>Wall-clock time of a start time in ticks since boot; exact to a tick, and cut at the year 9999.</summary>
    public static DateTimeOffset ToTime(ulong startTimeTicks)
    {
        ulong most = (ulong)(DateTimeOffset.MaxValue - s_boot).TotalSeconds * TicksPerSecond;
        return s_boot.AddMilliseconds(Math.Min(startTimeTicks, most) * (1000d / TicksPerSecond));
    }

    /// <summary>Microseconds of a number of clock ticks; the largest number where they do not fit.</summary>
    public static ulong ToMicroseconds(ulong ticks) =>
        ticks > ulong.MaxValue / MicrosecondsPerTick ? ulong.MaxValue : ticks * MicrosecondsPerTick;

    private static DateTimeOffset ReadBoot()
    {
        TimeSpec time;
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return LibC.ClockGettime(BootTime, &time) == 0
            ? now.AddSeconds(-time.Seconds).AddMilliseconds(-(time.Nanoseconds / 1_000_000))
            : throw new SyscallException("clock_gettime(CLOCK_BOOTTIME)", 0, Errno.InvalidArgument);
    }
}
