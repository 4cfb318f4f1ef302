using System.Buffers.Text;
using System.Globalization;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <summary>A task that slept in a call when it was looked at.</summary>
/// <param name="Since">It has slept since this time of CLOCK_MONOTONIC at the latest, in nanoseconds.</param>
/// <param name="Arrivals">How often it had come onto a CPU.</param>
/// <param name="Sleeps">How often it had given a CPU away to wait.</param>
/// <param name="SchedstatName">Its schedstat below /proc/PID.</param>
/// <param name="SchedName">Its sched below /proc/PID.</param>
internal readonly record struct Waiting(long Since, ulong Arrivals, ulong Sleeps, string SchedstatName, string SchedName);

/// <summary>
/// A look at sleeping tasks shortly before the stop, which puts an end to their sleep and with it to the only trace of when
/// it began. Most threads sleep in futex and the like, which the kernel restarts with the right time by itself: their wchan
/// says so and they are not looked at any further.
/// </summary>
internal sealed class WaitLook : IDisposable
{
    private const long LongestLook = 250_000_000;

    private readonly ProcessDirectory _directory;
    private readonly ProcfsBuffer _buffer = new();
    private readonly Dictionary<int, Waiting> _waiting = [];
    private readonly TaskClock _clock = new();

    internal WaitLook(ProcessDirectory directory) => _directory = directory;

    /// <summary>Looks at these tasks, for no longer than a quarter of a second; who is not reached is not known.</summary>
    internal void Look(IEnumerable<int> tids)
    {
        long deadline = MonotonicClock.Nanoseconds + LongestLook;
        var sleepers = new List<Sleeper>();
        foreach (int tid in tids)
        {
            if (MonotonicClock.Nanoseconds > deadline)
            {
                break;
            }

            if (TryLook(tid, out Sleeper sleeper))
            {
                sleepers.Add(sleeper);
            }
        }

        _clock.Measure(sleepers.Select(s => s.Processor).Distinct());
        foreach (Sleeper sleeper in sleepers)
        {
            bool isKnown = _clock.TryConvert(sleeper.Processor, sleeper.LastRun, out long since) && sleeper.LastRun > 0;
            _waiting[sleeper.Tid] = sleeper.Found with { Since = isKnown ? Math.Min(since, sleeper.Found.Since) : sleeper.Found.Since };
        }
    }

    /// <summary>What was seen of a task.</summary>
    internal bool TryGet(int tid, out Waiting waiting) => _waiting.TryGetValue(tid, out waiting);

    /// <summary>
    /// Whether a stopped task was still in the sleep that it was seen in when the stop ended it: since then it has come onto
    /// a CPU once, or has waited once, which is our stop.
    /// </summary>
    internal bool SleptUntilStopped(in Waiting waiting) =>
        (TryReadArrivals(waiting.SchedstatName, out ulong arrivals) && arrivals == waiting.Arrivals + 1)
        || (waiting.Sleeps > 0 && TryReadSched(waiting.SchedName, out _, out ulong sleeps) && sleeps == waiting.Sleeps + 1);

    /// <summary>How often a task has come onto a CPU: the third number of its schedstat.</summary>
    internal bool TryReadArrivals(string name, out ulong arrivals)
    {
        arrivals = 0;
        ReadOnlySpan<byte> text = Read(name);
        int last = text.TrimEnd((byte)'\n').LastIndexOf((byte)' ');
        return last >= 0 && Utf8Parser.TryParse(text[(last + 1)..], out arrivals, out _) && arrivals > 0;
    }

    /// <summary>Whether a task sleeps.</summary>
    internal bool IsAsleep(int tid) =>
        Read(string.Create(CultureInfo.InvariantCulture, $"task/{tid}/stat")) is var text
        && text.LastIndexOf(") "u8) is var end and >= 0 && text[end + 2] == 'S';

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private bool TryLook(int tid, out Sleeper sleeper)
    {
        sleeper = default;
        if (IsRestartedByKernel(Read(string.Create(CultureInfo.InvariantCulture, $"task/{tid}/wchan"))))
        {
            return false;
        }

        // The counters first: whatever the task does after them shows at the stop.
        long now = MonotonicClock.Nanoseconds;
        string schedstat = string.Create(CultureInfo.InvariantCulture, $"task/{tid}/schedstat");
        string sched = string.Create(CultureInfo.InvariantCulture, $"task/{tid}/sched");
        bool hasArrivals = TryReadArrivals(schedstat, out ulong arrivals);
        if (!TryReadSched(sched, out long lastRun, out ulong sleeps) && !hasArrivals)
        {
            return false;
        }

        try
        {
            TaskStat stat = _directory.ReadTaskStat(tid, _buffer);
            sleeper = new Sleeper(tid, stat.Processor, lastRun, new Waiting(now, arrivals, sleeps, schedstat, sched));
            return stat.State == 'S';
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            return false;
        }
    }

    /// <summary>
    /// The function that the task waits in: empty or "0" where it runs. Names are those of many kernel versions; one that is
    /// missing here costs a closer look, no more.
    /// </summary>
    private static bool IsRestartedByKernel(ReadOnlySpan<byte> wchan) =>
        wchan.Length < 2
        || wchan.StartsWith("futex"u8) || wchan.StartsWith("hrtimer_nanosleep"u8) || wchan.StartsWith("do_nanosleep"u8)
        || wchan.StartsWith("common_nsleep"u8) || wchan.StartsWith("poll_schedule"u8) || wchan.StartsWith("do_poll"u8)
        || wchan.StartsWith("do_sys_poll"u8) || wchan.StartsWith("do_select"u8) || wchan.StartsWith("pipe_"u8)
        || wchan.StartsWith("anon_pipe"u8) || wchan.StartsWith("do_wait"u8) || wchan.StartsWith("sigsuspend"u8);

    private bool TryReadSched(string name, out long lastRun, out ulong sleeps)
    {
        sleeps = 0;
        ReadOnlySpan<byte> text = Read(name);
        return TaskClock.TryReadLastRun(text, out lastRun)
            && Utf8Parser.TryParse(TaskClock.Value(text, "nr_voluntary_switches"u8), out sleeps, out _);
    }

    private ReadOnlySpan<byte> Read(string name)
    {
        try
        {
            return _directory.ReadFile(name, _buffer);
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            return default;
        }
    }

    private readonly record struct Sleeper(int Tid, int Processor, long LastRun, Waiting Found);
}
