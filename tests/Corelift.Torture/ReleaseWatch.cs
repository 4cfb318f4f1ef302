using System.Diagnostics;

namespace Corelift.Torture;

/// <summary>How long threads of a target stayed stopped.</summary>
/// <param name="Seen">When one was last seen to be stopped still; zero where none was.</param>
/// <param name="AllRan">When each had been seen to run. The judge may have waited for a CPU meanwhile: the truth lies between the two.</param>
internal readonly record struct Release(TimeSpan Seen, TimeSpan AllRan)
{
    /// <summary>The same, from a later moment on.</summary>
    internal Release After(TimeSpan start) => new(Seen - start, AllRan - start);
}

/// <summary>Looks how long threads of a target stay stopped.</summary>
internal static class ReleaseWatch
{
    private static readonly TimeSpan s_giveUp = TimeSpan.FromSeconds(15);

    /// <summary>Looks without pause until each thread of the target was seen to run, or to be gone.</summary>
    /// <param name="pid">The target.</param>
    /// <param name="since">A timestamp of <see cref="Stopwatch"/>.</param>
    internal static Release Measure(int pid, long since)
    {
        HashSet<int> running = [];
        TimeSpan seen = TimeSpan.Zero;
        while (true)
        {
            bool all = true;
            foreach (int tid in Proc.Tasks(pid))
            {
                TimeSpan look = Stopwatch.GetElapsedTime(since);
                bool runs = running.Contains(tid) || (Proc.State(pid, tid) != "t" && running.Add(tid));
                seen = runs ? seen : look;
                all &= runs;
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(since);
            if (all || elapsed > s_giveUp)
            {
                return new Release(seen, elapsed);
            }
        }
    }
}
