using System.Globalization;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Which tasks run or wait for a CPU, read from /proc shortly before a stop. They are the ones that would go on while others
/// are interrupted; a sleeping task does not move meanwhile.
/// </summary>
/// <param name="directory">The process.</param>
internal sealed class RunningTasks(ProcessDirectory directory)
{
    /// <summary>About 9 us a task; of a thousand tasks all are seen, of ten thousand on a busy machine some.</summary>
    private const long LongestNanoseconds = 20_000_000;
    private const int StateIsWithin = 96; // "4194304 (" and a name of at most 63 bytes before it

    /// <summary>Puts tasks in state R before the others.</summary>
    /// <returns>How many they are.</returns>
    internal int MoveToFront(List<int> tids)
    {
        long deadline = MonotonicClock.Nanoseconds + LongestNanoseconds;
        int front = 0;
        for (int i = 0; i < tids.Count && MonotonicClock.Nanoseconds < deadline; i++)
        {
            if (IsRunning(tids[i]))
            {
                (tids[front], tids[i]) = (tids[i], tids[front]);
                front++;
            }
        }

        return front;
    }

    private bool IsRunning(int tid)
    {
        Span<byte> start = stackalloc byte[StateIsWithin];
        try
        {
            start = start[..directory.ReadStart(string.Create(CultureInfo.InvariantCulture, $"task/{tid}/stat"), start)];
        }
        catch (SyscallException)
        {
            return false;
        }

        int end = start.LastIndexOf((byte)')');
        return end > 0 && end + 2 < start.Length && start[end + 2] == (byte)'R';
    }
}
