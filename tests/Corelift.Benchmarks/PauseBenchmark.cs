namespace Corelift.Benchmarks;

/// <summary>
/// Pause and elapsed time of a target with 1 GiB of dirty private memory and 10 threads, by either strategy and by gcore,
/// in turns; and whether the pause that we report is the one that the target saw.
/// </summary>
internal static class PauseBenchmark
{
    private const int Rounds = 5;
    private static readonly TimeSpan s_slack = TimeSpan.FromMilliseconds(1), s_undisturbed = TimeSpan.FromSeconds(1);

    private sealed class Runs
    {
        internal List<CaptureRun> Fork { get; } = [];

        internal List<CaptureRun> Direct { get; } = [];

        internal List<CaptureRun> Gcore { get; } = [];

        /// <summary>Largest gaps of the target in a second in which nobody captured it: the machine's own.</summary>
        internal List<TimeSpan> Undisturbed { get; } = [];
    }

    internal static async Task RunAsync(BenchmarkRun run)
    {
        Runs runs = new();
        await using (AgentProcess agent = await AgentProcess.StartAsync())
        {
            for (int round = 1; round <= Rounds; round++)
            {
                await RoundAsync(run, agent, round, runs);
            }
        }

        await run.ClearDiskAsync();
        TimeSpan[] gcore = [.. runs.Gcore.Select(theirs => theirs.Gap)], gcoreElapsed = [.. runs.Gcore.Select(theirs => theirs.Elapsed)];
        run.Figures.Add(PauseFigure("fork", 50, runs.Fork, gcore));
        run.Figures.Add(PauseFigure("direct", 3, runs.Direct, gcore));
        run.Figures.Add(ElapsedFigure("fork", runs.Fork, gcoreElapsed));
        run.Figures.Add(ElapsedFigure("direct", runs.Direct, gcoreElapsed));
        run.Figures.Add(AgreementFigure("fork", runs.Fork, runs.Undisturbed));
        run.Figures.Add(AgreementFigure("direct", runs.Direct, runs.Undisturbed));
    }

    // A new target each round, and fork first: one that was forked before has its pages write-protected already, which
    // makes the next fork cheaper than the first one of a process is.
    private static async Task RoundAsync(BenchmarkRun run, AgentProcess agent, int round, Runs runs)
    {
        using LiveProcess target = LiveProcess.Start("spinner", "--mib", "1024", "--threads", "8");
        int threads = Proc.Tasks(target.Pid).Length;
        if (threads != 10)
        {
            throw new TestingException($"the target has {threads} threads, not 10");
        }

        await target.CheckAsync("reset");
        await Task.Delay(s_undisturbed, run.Cancellation);
        runs.Undisturbed.Add(TimeSpan.FromMicroseconds(await target.AskNumberAsync("gap", "gap_us")));
        await OursAsync("fork", runs.Fork);
        await OursAsync("direct", runs.Direct);
        CaptureRun gcore = await Captures.GcoreAsync(run, target);
        runs.Gcore.Add(gcore);
        run.Say($"{round} of {Rounds}: gcore: gap {gcore.Gap.Text()}, elapsed {gcore.Elapsed.Text()}; undisturbed gap {runs.Undisturbed[^1].Text()}");

        async Task OursAsync(string strategy, List<CaptureRun> to)
        {
            CaptureRun ours = await Captures.CoreliftAsync(run, agent, target, strategy);
            if (ours.Report?.Strategy != strategy)
            {
                throw new TestingException($"asked for {strategy}, got {ours.Report?.Strategy}");
            }

            to.Add(ours);
            run.Say($"{round} of {Rounds}: {strategy}: gap {ours.Gap.Text()}, reported {ours.ReportedPause.Text()}, elapsed {ours.Elapsed.Text()}");
        }
    }

    // The larger of what the target saw and what we reported has to be within the bar.
    private static Figure PauseFigure(string strategy, int divisor, List<CaptureRun> runs, TimeSpan[] gcore)
    {
        TimeSpan[] gaps = [.. runs.Select(ours => ours.Gap)];
        TimeSpan reported = runs.Select(ours => ours.ReportedPause).Median(), theirs = gcore.Median();
        TimeSpan worse = gaps.Median() > reported ? gaps.Median() : reported;
        return new Figure(
            $"pause by {strategy}, as the target saw it", $"{gaps.Range()}; reported {reported.Text()}", $"gcore {gcore.Range()}",
            $"at most 1/{divisor} of gcore's: {Numbers.Ratio(theirs, worse)}", worse * divisor <= theirs);
    }

    private static Figure ElapsedFigure(string strategy, List<CaptureRun> runs, TimeSpan[] gcore)
    {
        TimeSpan[] ours = [.. runs.Select(one => one.Elapsed)];
        return new Figure(
            $"elapsed to a core on disk by {strategy}", ours.Range(), $"gcore {gcore.Range()}",
            $"at most gcore's: {Numbers.Factor(ours.Median(), gcore.Median())}", ours.Median() <= gcore.Median());
    }

    private static Figure AgreementFigure(string strategy, List<CaptureRun> runs, List<TimeSpan> undisturbed)
    {
        TimeSpan[] differences = [.. runs.Select(one => (one.Gap - one.ReportedPause).Duration())];
        int within = runs.Count(one => (one.Gap - one.ReportedPause).Duration() is var off && (off <= s_slack || off <= one.Gap * 0.2));
        return new Figure(
            $"reported pause against the target's gap, {strategy}", $"off by {differences.Range()}", $"gap without a capture {undisturbed.Range()}",
            $"each within 20 % or 1 ms: {within} of {runs.Count}", within == runs.Count);
    }
}
