using System.Globalization;
using Corelift.Benchmarks.Peers;
using Corelift.V1;

namespace Corelift.Benchmarks;

/// <summary>
/// Whether the pause is steady: that of an agent's first capture against those of its later ones, and that of many captures
/// while the agent serves eight other streams.
/// </summary>
internal static class SteadyBenchmark
{
    private const int Streams = 8, LaterPerAgent = 5;
    private const double MostOfFirst = 1.5, MostOfTail = 5;
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(20);

    internal static async Task RunAsync(BenchmarkRun run)
    {
        run.SteadyFigures.Add(await MeasureFirstAsync(run, run.Quick ? 2 : 9));
        run.SteadyFigures.Add(await MeasureTailAsync(run, run.Quick ? 20 : 200));
        run.WritePage();
        await run.ClearScratchAsync();
    }

    private static async Task<Figure> MeasureFirstAsync(BenchmarkRun run, int agents)
    {
        List<TimeSpan> first = [], later = [];
        using LiveProcess target = Target();
        for (int i = 0; i < agents; i++)
        {
            await using CoreliftPeer auto = new("auto");
            first.Add(await PauseAsync(run, auto, target));
            for (int j = 0; j < LaterPerAgent; j++)
            {
                later.Add(await PauseAsync(run, auto, target));
            }
        }

        TimeSpan ours = first.Median(), beside = later.Median();
        run.Say($"first capture of an agent: {ours.Text()}, later ones {beside.Text()}");
        return new Figure(
            $"pause of the first capture of an agent, median of {agents} agents", ours.Text(), $"later ones {beside.Text()}",
            string.Create(CultureInfo.InvariantCulture, $"at most {MostOfFirst} times: {ours / beside:0.00} times"), ours <= beside * MostOfFirst);
    }

    private static async Task<Figure> MeasureTailAsync(BenchmarkRun run, int captures)
    {
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(run.Cancellation);
        await using AgentProcess agent = await AgentProcess.StartAsync();
        await using CoreliftPeer auto = new("auto", agent);
        Task[] streams = [.. Enumerable.Range(0, Streams).Select(_ => StreamAsync(agent, enough.Token))];
        List<TimeSpan> pauses = [];
        using (LiveProcess target = Target())
        {
            while (pauses.Count < captures && !streams.Any(stream => stream.IsCompleted))
            {
                pauses.Add(await PauseAsync(run, auto, target));
            }
        }

        await enough.CancelAsync();
        await Task.WhenAll(streams).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (streams.FirstOrDefault(stream => stream.IsFaulted) is { } broken)
        {
            await broken;
        }

        TimeSpan tail = pauses.Percentile(0.99), middle = pauses.Median();
        run.Say($"p99 of {captures} captures beside {Streams} streams: {tail.Text()}, median {middle.Text()}");
        return new Figure(
            $"p99 of the pause of {captures} captures while {Streams} others stream", tail.Text(), $"their median {middle.Text()}",
            string.Create(CultureInfo.InvariantCulture, $"at most {MostOfTail} times: {tail / middle:0.0} times"), tail <= middle * MostOfTail);
    }

    /// <summary>One stream after the other of a target of its own, read by a client that takes its time, until cancelled.</summary>
    private static async Task StreamAsync(AgentProcess agent, CancellationToken cancellation)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "256");
        while (!cancellation.IsCancellationRequested)
        {
            try
            {
                await WireClient.CaptureAsync(agent, target, Strategy.Fork, Compression.None, new ReadingPace(s_pace, int.MaxValue), cancellation);
            }
            catch (Exception) when (cancellation.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private static LiveProcess Target() => LiveProcess.Start("dirtier", "--mib", "16", "--threads", "8");

    private static async Task<TimeSpan> PauseAsync(BenchmarkRun run, CoreliftPeer peer, LiveProcess target)
    {
        SnapshotReport report = SnapshotReport.Parse((await peer.SnapshotAsync(run, target.Pid, "--json")).Result.Output);
        return TimeSpan.FromMicroseconds(report.PauseMicroseconds);
    }
}
