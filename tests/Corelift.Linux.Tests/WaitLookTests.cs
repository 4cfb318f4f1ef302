using System.Text;
using Corelift.Linux.Interop;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;

namespace Corelift.Linux.Tests;

/// <summary>Since when a thread sleeps, from the live /proc, and what is known of the calls that a stop breaks.</summary>
public sealed class WaitLookTests
{
    [Fact]
    public void A_sleep_is_not_taken_for_longer_than_it_is_and_hardly_for_shorter()
    {
        int tid = 0;
        long began = 0;
        using var wake = new ManualResetEventSlim();
        int[] pair = Pair();
        var sleeper = new Thread(() =>
        {
            Volatile.Write(ref tid, OwnTid());
            Volatile.Write(ref began, MonotonicClock.Nanoseconds);
            ReadByte(pair[0]); // not a call that wchan tells apart
        })
        { IsBackground = true };
        sleeper.Start();
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref began) != 0 && IsAsleepInRead(self, tid, pair[0]), TimeSpan.FromSeconds(10)));
        long asleep = MonotonicClock.Nanoseconds;

        using var look = new WaitLook(self);
        look.Look([tid]);
        Assert.True(look.TryGet(tid, out Waiting waiting));
        Assert.InRange(waiting.Since, began, asleep + 1_000_000);
        Assert.True(waiting.Sleeps > 0);
        Assert.False(look.SleptUntilStopped(waiting), "nobody has stopped it");
        _ = LibC.Close(pair[1]);
        Assert.True(sleeper.Join(TimeSpan.FromSeconds(10)));
        _ = LibC.Close(pair[0]);
    }

    [Theory]
    [InlineData("x\nse.exec_start      :        551311.501267\n", 551_311_501_267)]
    [InlineData("se.exec_start : 0.000001\n", 1)]
    [InlineData("se.exec_start : 0.000000\n", 0)]
    [InlineData("se.exec_start : 12.5\n", 0)]
    [InlineData("se.exec_start : -1.000000\n", 0)]
    [InlineData("se.exec_start\n", 0)]
    [InlineData("", 0)]
    public void The_scheduler_s_times_are_read_or_refused(string sched, long expected)
    {
        Assert.Equal(expected > 0, TaskClock.TryReadLastRun(Encoding.ASCII.GetBytes(sched), out long nanoseconds));
        Assert.Equal(expected, Math.Max(0, nanoseconds));
    }

    [Fact]
    public void Absurd_times_of_a_target_are_no_times()
    {
        Assert.Equal(long.MaxValue, new TimeSpec { Seconds = -1 }.TotalNanoseconds);
        Assert.Equal(long.MaxValue, new TimeSpec { Seconds = long.MaxValue }.TotalNanoseconds);
        Assert.Equal(long.MaxValue, new TimeSpec { Nanoseconds = long.MaxValue }.TotalNanoseconds);
        Assert.Equal(long.MaxValue, new TimeValue { Microseconds = long.MinValue }.Nanoseconds);
        Assert.Equal(1_500_000_001, new TimeSpec { Seconds = 1, Nanoseconds = 500_000_001 }.TotalNanoseconds);
        Assert.Equal(2, TimeValue.From(1001).Microseconds);
    }

    [Fact]
    public void Only_calls_that_are_known_have_a_timeout()
    {
        const ulong Eintr = unchecked((ulong)-4);
        Assert.Equal(TimeoutPlace.Milliseconds, TimedCall.Of(new UserRegs { OrigRax = 232 }).Place);
        Assert.Equal(TimeoutPlace.None, TimedCall.Of(new UserRegs { OrigRax = 426, R10 = 1 }).Place);
        Assert.Equal(TimeoutPlace.RingArgument, TimedCall.Of(new UserRegs { OrigRax = 426, R10 = 9 }).Place);
        Assert.Equal(TimeoutPlace.None, TimedCall.Of(new UserRegs { OrigRax = 426, R10 = 9 | 32 }).Place);
        Assert.False(InterruptedCall.IsBroken(new UserRegs { OrigRax = 3, Rax = Eintr }), "close is never made again");
        Assert.False(InterruptedCall.IsBroken(new UserRegs { OrigRax = ulong.MaxValue, Rax = Eintr }));
        Assert.True(InterruptedCall.IsBroken(new UserRegs { OrigRax = 333, Rax = unchecked((ulong)-514) }));
    }

    /// <summary>
    /// Whether a thread sleeps in read(2) of a descriptor: /proc/PID/task/TID/syscall tells only of a thread that waits, in
    /// which call and with what. A thread of the runtime may sleep on its way there, in a futex for the first call's lock.
    /// </summary>
    private static bool IsAsleepInRead(ProcessDirectory self, int tid, int descriptor) =>
        Encoding.ASCII.GetString(self.ReadFile($"task/{tid}/syscall")).StartsWith($"0 0x{descriptor:x} ", StringComparison.Ordinal)
        && TaskStat.Parse(self.ReadFile($"task/{tid}/stat")).State == 'S';

    private static unsafe int[] Pair()
    {
        int* pair = stackalloc int[2];
        Assert.Equal(0, LibC.Socketpair(1, 1, 0, pair));
        return [pair[0], pair[1]];
    }

    private static unsafe void ReadByte(int descriptor)
    {
        byte one;
        _ = LibC.Read(descriptor, &one, 1);
    }

    private static int OwnTid()
    {
        string link = new FileInfo("/proc/thread-self").LinkTarget!;
        return int.Parse(link[(link.LastIndexOf('/') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }
}
