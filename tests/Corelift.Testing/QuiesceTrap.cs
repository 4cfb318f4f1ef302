namespace Corelift.Testing;

/// <summary>
/// Kills processes in the milliseconds in which a target is quiesced. It looks from a thread of higher priority than the
/// worker's tracers, or it would mostly come too late.
/// </summary>
public static class QuiesceTrap
{
    private const int Idle = 5; // SCHED_IDLE
    private const int Fifo = 1; // SCHED_FIFO
    private const int Priority = 50;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(1);

    /// <summary>Waits for the target's main thread to be SCHED_IDLE, and then kills.</summary>
    /// <param name="target">The target.</param>
    /// <param name="pids">Whom to kill, in this order.</param>
    /// <param name="isOver">Whether there is nothing to wait for any more.</param>
    /// <returns>Whether the target was still quiesced when they were dead.</returns>
    public static Task<bool> KillAsync(LiveProcess target, int[] pids, Func<bool> isOver) => Task.Factory.StartNew(
        () =>
        {
            int priority = Priority;
            if (Native.SetScheduler(0, Fifo, ref priority) != 0)
            {
                throw new TestingException("SCHED_FIFO is refused: run the tests as root");
            }

            try
            {
                while (Native.GetScheduler(target.Pid) != Idle)
                {
                    if (isOver())
                    {
                        return false;
                    }

                    Thread.Sleep(s_interval);
                }

                foreach (int pid in pids)
                {
                    _ = Native.Kill(pid, Native.SigKill);
                }

                return Native.GetScheduler(target.Pid) == Idle;
            }
            finally
            {
                priority = 0;
                _ = Native.SetScheduler(0, 0, ref priority);
            }
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
