namespace Corelift.Benchmarks;

/// <summary>
/// Pause and elapsed time of a target with 1 GiB of dirty private memory and 10 threads, by either strategy and by gcore,
/// in turns; and whether the pause that we report is the one that the target saw.
/// </summary>
internal static class PauseBenchmark
{
    private const int Rounds = 5;
    private static readonly TimeSpan s_slack = TimeSpan.FromMilliseconds(1);

    internal static async Task RunAsync(BenchmarkRun run)
    {
        Dictionary<string, List<CaptureRun>> runs = new() { ["fork"] = [], ["direct"] = [], ["gcore"] = [] };
        using (LiveProcess target = LiveProcess.Start("spinner", "--mib", "1024", "--threads", "8"))
        {
            await using AgentProcess agent = await AgentProcess.StartAsync();
            int threads = Proc.Tasks(target.Pid).Length;
            if (threads != 10)
            {
                throw new TestingException($"the target has {threads} threads, not 10");
            }

            for (int round = 0; round < Rounds; round++)
            {
                await RoundAsync(run, agent, target, round, runs);
            }
        }

        await run.ClearDiskAsync();
        AddPauses(run.Figures, "fork", 50, runs);
        AddPauses(run.Figures, "direct", 3, runs);
        AddElapsed(run.Figures, "fork", runs);
        AddElapsed(run.Figures, "direct", runs);
        AddAgreement(run.Figures, "fork", runs["fork"]);
        AddAgreement(run.Figures, "direct", runs["direct"]);
    }

    private static async Task RoundAsync(
        BenchmarkRun run, AgentProcess agent, LiveProcess target, int round, Dictionary<string, List<CaptureRun>> runs)
    {
        foreach (string strategy in (string[])["fork", "direct"])
        {
            CaptureRun ours = await Captures.CoreliftAsync(run, agent, target, strategy);
            if (ours.Report?.Strategy != strategy)
            {
                throw new TestingException($"asked for {strategy}, got {ours.Report?.Strategy}");
            }

            runs[strategy].Add(ours);
            run.Say($"{round + 1} of {Rounds}: {strategy}: gap {ours.Gap.Text()}, reported {ours.ReportedPause.Text()}, elapsed {ours.Elapsed.Text()}");
        }

        if (round % 2 == 0)
        {
            CaptureRun gcore = await Captures.GcoreAsync(run, target);
            runs["gcore"].Add(gcore);
            run.Say($"{round + 1} of {Rounds}: gcore: gap {gcore.Gap.Text()}, elapsed {gcore.Elapsed.Text()}");
        }
    }

    // The larger of what the target saw and what we reported has to be within the bar.
    private static void AddPauses(List<Figure> figures, string strategy, int divisor, Dictionary<string, List<CaptureRun>> runs)
    {
        TimeSpan[] gaps = [.. runs[strategy].Select(ours => ours.Gap)], gcore = [.. runs["gcore"].Select(theirs => theirs.Gap)];
        TimeSpan reported = runs[strategy].Select(ours => ours.ReportedPause).Median(), theirs = gcore.Median();
        TimeSpan worse = gaps.Median() > reported ? gaps.Median() : reported;
        figures.Add(new Figure(
            $"pause by {strategy}, as the target saw it; as the agent reports it", $"{gaps.Range()}; {reported.Text()}", $"gcore {gcore.Range()}",
            $"at most 1/{divisor} of gcore's: {Numbers.Ratio(theirs, worse)}", worse * divisor <= theirs));
    }

    private static void AddElapsed(List<Figure> figures, string strategy, Dictionary<string, List<CaptureRun>> runs)
    {
        TimeSpan[] ours = [.. runs[strategy].Select(one => one.Elapsed)], gcore = [.. runs["gcore"].Select(one => one.Elapsed)];
        figures.Add(new Figure(
            $"elapsed to a core on disk by {strategy}", ours.Range(), $"gcore {gcore.Range()}", "at most gcore's", ours.Median() <= gcore.Median()));
    }

    private static void AddAgreement(List<Figure> figures, string strategy, List<CaptureRun> runs)
    {
        TimeSpan[] differences = [.. runs.Select(one => (one.Gap - one.ReportedPause).Duration())];
        int within = runs.Count(one => (one.Gap - one.ReportedPause).Duration() is var off && (off <= s_slack || off <= one.Gap * 0.2));
        figures.Add(new Figure(
            $"reported pause against the target's gap, {strategy}", $"off by {differences.Range()}", "",
            $"each within 20 % or 1 ms: {within} of {runs.Count}", within == runs.Count));
    }
}
