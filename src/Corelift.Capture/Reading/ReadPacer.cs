using System.Diagnostics;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Reading;

/// <summary>
/// Keeps reading within a rate, and slows it where the target's cgroup waits for CPU, disk or memory, or the host for memory:
/// the target's work goes before the dump. Not for a target that is stopped while it is read.
/// </summary>
public sealed class ReadPacer
{
    private const long LookEveryMicroseconds = 250_000;
    private const double BurstSeconds = 0.05;
    private const long SlowBytesPerSecond = 64L << 20;
    private const double MuchWaiting = 0.5;
    private const double MemoryWaiting = 0.1;

    private readonly List<(PressureFile File, double Limit)> _gauges = [];
    private readonly long _limit;
    private readonly long _began = Stopwatch.GetTimestamp();
    private double _dueSeconds;
    private double _slowedSince = double.NaN;
    private long _nextLook;

    /// <summary>Paces the reading of a target.</summary>
    /// <param name="target">The target.</param>
    /// <param name="bytesPerSecond">Most bytes a second; 0 for as fast as they are taken.</param>
    public ReadPacer(ProcessRef target, long bytesPerSecond)
    {
        _limit = bytesPerSecond;
        _gauges.Add((new PressureFile("/proc/pressure/memory"), MemoryWaiting));
        if (CgroupDirectory(target) is { } cgroup)
        {
            _gauges.Add((new PressureFile(cgroup + "/memory.pressure"), MemoryWaiting));
            _gauges.Add((new PressureFile(cgroup + "/cpu.pressure"), MuchWaiting));
            _gauges.Add((new PressureFile(cgroup + "/io.pressure"), MuchWaiting));
        }
    }

    /// <summary>Time for which reading was slowed by pressure.</summary>
    public TimeSpan Slowed { get; private set; }

    /// <summary>Waits until more may be read.</summary>
    /// <param name="bytes">What was read just now.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public ValueTask PaceAsync(int bytes, CancellationToken cancellationToken)
    {
        double now = Stopwatch.GetElapsedTime(_began).TotalSeconds;
        long rate = Rate(now);
        if (rate == 0)
        {
            return ValueTask.CompletedTask;
        }

        _dueSeconds = Math.Max(_dueSeconds, now - BurstSeconds) + ((double)bytes / rate);
        double wait = _dueSeconds - now;
        return wait > BurstSeconds ? new ValueTask(Task.Delay(TimeSpan.FromSeconds(wait), cancellationToken)) : ValueTask.CompletedTask;
    }

    private long Rate(double now)
    {
        long microseconds = (long)(now * 1e6);
        if (microseconds >= _nextLook)
        {
            _nextLook = microseconds + LookEveryMicroseconds;
            bool pressed = false;
            foreach ((PressureFile file, double limit) in _gauges)
            {
                pressed |= file.TakeShare(microseconds) >= limit;
            }

            Slowed += double.IsNaN(_slowedSince) ? TimeSpan.Zero : TimeSpan.FromSeconds(now - _slowedSince);
            _slowedSince = pressed ? now : double.NaN;
        }

        return double.IsNaN(_slowedSince) ? _limit : _limit == 0 ? SlowBytesPerSecond : Math.Min(_limit, SlowBytesPerSecond);
    }

    /// <summary>The target's directory in the unified hierarchy; null in the root of it, or where it cannot be seen.</summary>
    private static string? CgroupDirectory(ProcessRef target)
    {
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(target.Pid);
            string? path = directory.ReadCgroup().Unified;
            string root = Directory.Exists("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
            return path is null or "/" || path.Contains("/..", StringComparison.Ordinal) ? null : root + path;
        }
        catch (SyscallException)
        {
            return null;
        }
    }
}
