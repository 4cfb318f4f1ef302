using System.Diagnostics;
using Corelift.Torture.Targets;

namespace Corelift.Torture;

/// <summary>How long a session is, so that moments can be drawn from all of it.</summary>
/// <param name="Time">From the call to its end, where nobody traces the worker.</param>
/// <param name="Syscalls">System calls that its worker makes; they vary with every wait.</param>
internal sealed record SessionLength(TimeSpan Time, long Syscalls)
{
    private const long Never = 1L << 40;
    private const double Beyond = 1.1; // some moments are after the end
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    internal static async Task<SessionLength> MeasureAsync(TortureCase torture, LiveTarget target, TorturedAgent agent)
    {
        using CancellationTokenSource bound = new(s_bound);
        agent.Points.Arm(target.Process.Pid, Never);
        await new SessionCall(target, torture, agent.Channel).RunAsync(bound.Token);
        await agent.AssertIdleAsync();
        int workers = agent.Points.Disarm(1);
        IReadOnlyList<PointReached> reached = await agent.Points.ReachedAsync(workers);
        long start = Stopwatch.GetTimestamp();
        await new SessionCall(target, torture, agent.Channel).RunAsync(bound.Token);
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        await agent.AssertIdleAsync();
        return new SessionLength(time, reached.Count == 0 ? 1 : reached[0].Syscalls);
    }

    /// <summary>The moment that a fraction means: a number of system calls from 1 on, or microseconds from 0 on.</summary>
    internal long Moment(Fault fault, double fraction) => fault.CountsSyscalls()
        ? 1 + (long)(fraction * Beyond * Syscalls)
        : (long)(fraction * Beyond * Time.TotalMicroseconds);
}
