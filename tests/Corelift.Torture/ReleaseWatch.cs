using System.Diagnostics;

namespace Corelift.Torture;

/// <summary>Looks how long threads of a target stay stopped.</summary>
internal static class ReleaseWatch
{
    private static readonly TimeSpan s_giveUp = TimeSpan.FromSeconds(15);

    /// <summary>Looks without pause until each thread of the target was seen to run, or to be gone.</summary>
    /// <param name="pid">The target.</param>
    /// <param name="since">A timestamp of <see cref="Stopwatch"/>.</param>
    /// <returns>From then to the last thread's; an upper bound, by the length of a look.</returns>
    internal static TimeSpan Measure(int pid, long since)
    {
        HashSet<int> seen = [];
        while (true)
        {
            bool all = true;
            foreach (int tid in Proc.Tasks(pid))
            {
                all &= seen.Contains(tid) || (Proc.State(pid, tid) != "t" && seen.Add(tid));
            }

            TimeSpan elapsed = Stopwatch.GetElapsedTime(since);
            if (all || elapsed > s_giveUp)
            {
                return elapsed;
            }
        }
    }
}
