using Corelift.Torture.Targets;

namespace Corelift.Torture;

/// <summary>What came of a case.</summary>
/// <param name="Case">The case.</param>
/// <param name="Moment">The moment that was meant.</param>
/// <param name="Inflicted">What the fault did; null where it did not come to that.</param>
/// <param name="Failure">What is wrong; null where nothing is.</param>
internal sealed record CaseReport(TortureCase Case, long? Moment, Inflicted? Inflicted, string? Failure);

/// <summary>Runs cases one after the other, and judges each by the same rules.</summary>
internal sealed class CaseRunner(Workplace place)
{
    /// <summary>From a kill to every thread of the target running.</summary>
    internal static readonly TimeSpan LongestRelease = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan s_releaseOfAHang = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(10);

    /// <summary>Runs one.</summary>
    internal async Task<CaseReport> RunAsync(TortureCase torture)
    {
        long? moment = null;
        Inflicted? inflicted = null;
        try
        {
            SessionLength length = torture.Fault == Fault.None ? new SessionLength(TimeSpan.Zero, 0) : await place.LengthAsync(torture);
            moment = torture.Moment ?? length.Moment(torture.Fault, torture.Fraction);
            TorturedAgent agent = await place.AgentAsync();
            LiveTarget target = await place.TargetAsync(torture.Target);
            target.Cases++;
            inflicted = await new Nemesis(torture, moment.Value, length.Syscalls, target, agent).RunAsync();
            await SettleAsync(torture, agent, target);
            await JudgeAsync(torture, inflicted, target);
            return new CaseReport(torture, moment, inflicted, null);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            string said = failure is TestingException ? failure.Message : failure.ToString();
            await ClearAsync(torture);
            return new CaseReport(torture, moment, inflicted, said);
        }
    }

    /// <summary>Waits for the end of what was begun; where the agent has gone, a new one cleans up after it.</summary>
    private async Task SettleAsync(TortureCase torture, TorturedAgent agent, LiveTarget target)
    {
        if (torture.Fault.EndsTheAgent())
        {
            await agent.AssertEndedAsync(agent.Workers);
        }
        else
        {
            await agent.AssertIdleAsync();
        }

        // A worker that was killed while it had the target reap leaves that to the next start.
        if (torture.Fault == Fault.ReaperSyscall && target.IsAlive && target.HasLeftovers)
        {
            await place.EndAgentAsync();
        }

        await place.AgentAsync();
    }

    private async Task JudgeAsync(TortureCase torture, Inflicted inflicted, LiveTarget target)
    {
        TimeSpan longest = torture.Fault.IsAKill() || torture.Fault.CountsSyscalls() ? LongestRelease : s_releaseOfAHang;
        if (inflicted.Release is { } release && release.Seen > longest)
        {
            throw new TestingException($"a thread of the target was seen stopped {release.Seen.TotalMilliseconds:0.#} ms after it was to run");
        }

        string wrong = inflicted.Outcome.Judge(torture);
        _ = wrong.Length > 0 ? throw new TestingException(wrong) : 0;
        if (torture.Fault == Fault.TargetKill)
        {
            await place.EndTargetAsync(torture.Target);
            await Wait.UntilAsync(() => Orphans(target).Length == 0, s_bound, $"no image of a target that was killed; there are {string.Join(' ', Orphans(target))}");
        }
        else
        {
            _ = target.IsAlive ? 0 : throw new TestingException($"the target has ended, with {await target.Process.ExitCodeAsync()}");
            await target.AssertAsBeforeAsync(s_bound);
            await target.CheckAsync();
        }

        await Wait.UntilAsync(() => !place.Journals.Any(), s_bound, $"empty journals; there are {string.Join(' ', place.Journals)}");
    }

    /// <summary>Processes that run the target's program and are no target, of this run or of another: those have a shell as their parent.</summary>
    private int[] Orphans(LiveTarget target) =>
        [.. Proc.Named(Path.GetFileName(target.Process.Executable)[..Math.Min(15, Path.GetFileName(target.Process.Executable).Length)])
            .Where(pid => Proc.State(pid) != "Z" && RunsOurs(pid, target.Process.Executable) && !IsChildOfShell(pid) && !place.TargetPids.Any(live => live == pid || Proc.Children(live).Contains(pid)))];

    private static bool IsChildOfShell(int pid) => Proc.Stat($"/proc/{pid}/stat") is { Length: > 1 } stat
        && Proc.Status(int.Parse(stat[1], System.Globalization.CultureInfo.InvariantCulture), "Name") is "sh" or "unshare" or "dash" or "bash";

    private static bool RunsOurs(int pid, string program)
    {
        try
        {
            return Proc.Executable(pid) == program;
        }
        catch (Exception gone) when (gone is TestingException or IOException)
        {
            return false;
        }
    }

    /// <summary>After a failure nothing of it goes into the next case.</summary>
    private async Task ClearAsync(TortureCase torture)
    {
        try
        {
            place.Abandon(torture.Target);
            await place.EndAgentAsync();
        }
        catch (Exception failure) when (failure is TestingException or IOException or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync($"after a failure: {failure.Message}");
        }
    }
}
