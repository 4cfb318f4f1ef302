using System.Buffers.Text;
using Corelift.Linux.Interop;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// The scheduler's clock of each CPU, which /proc/PID/task/TID/sched tells times by. It lacks what interrupts and the
/// hypervisor took, so each CPU's lags behind CLOCK_MONOTONIC by an amount of its own (0.17 s between the two CPUs of a
/// virtual machine that had been up for minutes). The lag is measured on the CPU itself, with our own thread's time.
/// </summary>
internal sealed unsafe class TaskClock
{
    private const int AffinityBytes = 1024;

    private readonly Dictionary<int, long> _lags = [];

    /// <summary>
    /// Measures the lag of each CPU; leaves the calling thread where it may run. CPUs that it may not run on are left out.
    /// </summary>
    internal void Measure(IEnumerable<int> processors)
    {
        byte* allowed = stackalloc byte[AffinityBytes];
        int length = LibC.SchedGetaffinity(0, allowed, AffinityBytes);
        byte* one = stackalloc byte[AffinityBytes];
        foreach (int processor in processors)
        {
            if (length <= 0 || processor >= length * 8 || _lags.ContainsKey(processor))
            {
                continue;
            }

            new Span<byte>(one, AffinityBytes).Clear();
            one[processor / 8] = (byte)(1 << (processor % 8));
            if (LibC.SchedSetaffinity(0, one, length) && MeasureHere() is { } lag)
            {
                _lags[processor] = lag;
            }
        }

        _ = length > 0 && LibC.SchedSetaffinity(0, allowed, length);
    }

    /// <summary>The CLOCK_MONOTONIC time of a CPU's own time, never too early; false where its lag is not known.</summary>
    internal bool TryConvert(int processor, long taskTime, out long monotonic)
    {
        bool isKnown = _lags.TryGetValue(processor, out long lag);
        monotonic = taskTime + lag;
        return isKnown;
    }

    /// <summary>se.exec_start: when the task was last accounted for while it ran, which for a sleeping one is when it fell asleep.</summary>
    internal static bool TryReadLastRun(ReadOnlySpan<byte> sched, out long nanoseconds)
    {
        nanoseconds = 0;
        ReadOnlySpan<byte> text = Value(sched, "se.exec_start"u8);
        return Utf8Parser.TryParse(text, out long milliseconds, out int used)
            && milliseconds is >= 0 and < long.MaxValue / 1_000_000
            && used < text.Length && text[used] == '.'
            && Utf8Parser.TryParse(text[(used + 1)..], out long fraction, out int digits) && digits == 6
            && (nanoseconds = (milliseconds * 1_000_000) + fraction) > 0;
    }

    /// <summary>The text after a name and its colon.</summary>
    internal static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> sched, ReadOnlySpan<byte> name)
    {
        int at = sched.IndexOf(name);
        ReadOnlySpan<byte> rest = at < 0 ? default : sched[(at + name.Length)..];
        int colon = rest.IndexOf((byte)':');
        return colon < 0 ? default : rest[(colon + 1)..].TrimStart((byte)' ');
    }

    private static long? MeasureHere()
    {
        Span<byte> text = stackalloc byte[4096];
        _ = LibC.SchedYield(); // the scheduler notes the time
        long after = MonotonicClock.Nanoseconds;
        int descriptor = LibC.Open("/proc/thread-self/sched", OpenFlags.ReadOnly | OpenFlags.CloseOnExec);
        if (descriptor < 0)
        {
            return null;
        }

        nint length;
        fixed (byte* start = text)
        {
            length = LibC.Read(descriptor, start, (nuint)text.Length);
        }

        _ = LibC.Close(descriptor);
        return length > 0 && TryReadLastRun(text[..(int)length], out long taskTime) ? after - taskTime : null;
    }
}
