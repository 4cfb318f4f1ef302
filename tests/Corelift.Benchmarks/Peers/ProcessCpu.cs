using System.Globalization;

namespace Corelift.Benchmarks.Peers;

/// <summary>CPU time by /proc/PID/stat, in steps of a clock tick (10 ms).</summary>
internal static class ProcessCpu
{
    // Indexes after the name; fields 14 to 17 of proc(5): utime, stime, cutime, cstime.
    private const int First = 11, Last = 14, TicksPerSecond = 100;

    /// <summary>Of a process and those of its children that it has waited for.</summary>
    internal static TimeSpan WithEndedChildren(int pid)
    {
        string[] fields = Proc.Stat($"/proc/{pid}/stat");
        return fields.Length <= Last
            ? TimeSpan.Zero
            : TimeSpan.FromSeconds(fields[First..(Last + 1)].Sum(field => long.Parse(field, CultureInfo.InvariantCulture)) / (double)TicksPerSecond);
    }
}
