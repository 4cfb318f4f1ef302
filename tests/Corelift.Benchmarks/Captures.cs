using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>One core made of a live target.</summary>
/// <param name="Elapsed">Of the whole program, from its start to its end.</param>
/// <param name="Gap">Largest gap between two clock reads of the target's spinning thread meanwhile; zero where it has none.</param>
/// <param name="Report">What our program said; null for gcore.</param>
internal sealed record CaptureRun(TimeSpan Elapsed, TimeSpan Gap, SnapshotReport? Report)
{
    internal TimeSpan ReportedPause => TimeSpan.FromMicroseconds(Report?.PauseMicroseconds ?? 0);
}

/// <summary>The two ways to a core: <c>corelift snapshot</c> and gdb's <c>gcore</c>, each as a user runs it.</summary>
internal static class Captures
{
    internal static async Task<CaptureRun> CoreliftAsync(
        BenchmarkRun run, AgentProcess agent, LiveProcess target, string strategy, params string[] more)
    {
        string core = run.CorePath("corelift.core");
        (CommandResult result, TimeSpan gap) = await RunAsync(
            run, target, Artifacts.Cli,
            ["snapshot", $"{target.Pid}", "-o", core, "--strategy", strategy, "--agent", agent.Address, "--json", .. more]);
        if (result.ExitCode != 0)
        {
            throw new TestingException($"corelift snapshot --strategy {strategy}: {result.ExitCode}\n{result.Errors}\nagent:\n{agent.Log}");
        }

        RequireWhole(core, target);
        return new CaptureRun(result.Elapsed, gap, SnapshotReport.Parse(result.Output));
    }

    internal static async Task<CaptureRun> GcoreAsync(BenchmarkRun run, LiveProcess target)
    {
        string prefix = run.CorePath("gcore");
        (CommandResult result, TimeSpan gap) = await RunAsync(run, target, "gcore", ["-o", prefix, $"{target.Pid}"]);
        _ = result.Checked();
        RequireWhole(string.Create(CultureInfo.InvariantCulture, $"{prefix}.{target.Pid}"), target);
        return new CaptureRun(result.Elapsed, gap, null);
    }

    private static async Task<(CommandResult Result, TimeSpan Gap)> RunAsync(
        BenchmarkRun run, LiveProcess target, string program, IEnumerable<string> arguments)
    {
        bool spins = Path.GetFileName(target.Executable) == "spinner";
        Dictionary<string, string> environment = new() { ["NO_COLOR"] = "1", ["DEBUGINFOD_URLS"] = "" };
        await run.ClearDiskAsync();
        if (spins)
        {
            await target.CheckAsync("reset");
        }

        CommandResult result = await Command.RunAsync(program, arguments, environment, cancellation: run.Cancellation);
        TimeSpan gap = spins ? TimeSpan.FromMicroseconds(await target.AskNumberAsync("gap", "gap_us")) : TimeSpan.Zero;
        return (result, gap);
    }

    // A core that lacks what the target holds would win every comparison.
    private static void RequireWhole(string core, LiveProcess target)
    {
        long least = target.Facts.Where(fact => fact.Key is "private" or "text").Sum(fact => (long)target.Range(fact.Key).Length);
        if (!File.Exists(core) || new FileInfo(core).Length < least)
        {
            throw new TestingException($"no whole core of {target.Executable} in {Path.GetFileName(core)}");
        }
    }
}
