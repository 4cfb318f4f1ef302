using System.Diagnostics;
using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks;

/// <summary>
/// Runs the programs of a scenario in turns, so that whatever drifts drifts for all of them; each capture has a target of
/// its own, as what one capture leaves behind (write-protected pages, say) would help or hurt the next.
/// </summary>
internal static class ScenarioRunner
{
    private static readonly TimeSpan s_settle = TimeSpan.FromMilliseconds(200), s_rate = TimeSpan.FromSeconds(1);

    internal static async Task RunAsync(BenchmarkRun run, Scenario scenario)
    {
        long start = Stopwatch.GetTimestamp();
        Row[] rows = [.. scenario.Peers.Select(peer => Begin(scenario.Shape, peer))];
        run.Rows.AddRange(rows);
        run.Say(scenario.Shape.Name);
        for (int round = 0; round < scenario.Rounds && (round == 0 || (run.HasTime && Stopwatch.GetElapsedTime(start) < scenario.Budget)); round++)
        {
            foreach ((Peer peer, Row row) in scenario.Peers.Zip(rows).Where(pair => pair.Second.IsOpen && round < pair.First.MostRounds))
            {
                await TryAsync(run, scenario.Shape, peer, row);
                run.WritePage();
            }
        }

        await run.ClearScratchAsync();
    }

    private static Row Begin(TargetShape shape, Peer peer)
    {
        Row row = new(shape, peer.Name);
        if (peer.Declines(shape) is { } why)
        {
            row.Close(why, failed: false);
        }

        return row;
    }

    private static async Task TryAsync(BenchmarkRun run, TargetShape shape, Peer peer, Row row)
    {
        try
        {
            CaptureRun capture = await CaptureAsync(run, shape, peer);
            row.Add(capture);
            run.Say($"  {peer.Name}: stopped {capture.Stopped.Text()} of a gap of {capture.Gap.Text()}, reported {capture.ReportedPause.Text()}, "
                + $"skew {capture.Skew.Text()}, elapsed {capture.Elapsed.Text()} {capture.Note}");
        }
        catch (CannotException cannot)
        {
            Close(cannot.Message, failed: false);
        }
        catch (Exception failure) when (!run.Cancellation.IsCancellationRequested)
        {
            Close(failure.Message.OneLine(), failed: true);
        }

        void Close(string trouble, bool failed)
        {
            row.Close(trouble, failed);
            run.Say($"  {peer.Name}: {trouble}");
        }
    }

    private static async Task<CaptureRun> CaptureAsync(BenchmarkRun run, TargetShape shape, Peer peer)
    {
        await run.ClearScratchAsync();
        using LiveProcess target = shape.Start();
        await Task.Delay(shape.DirtyMegabytesPerSecond == 0 ? s_settle : s_rate, run.Cancellation);
        await (shape.Spins ? target.CheckAsync("reset") : Task.CompletedTask);
        CaptureRun capture = await peer.CaptureAsync(run, target);
        if (shape.Spins)
        {
            string answer = await target.AskAsync("gap");
            capture = capture with { Gap = Microseconds(answer, "gap_us"), Stopped = Microseconds(answer, "stopped_us") };
        }

        if (peer is CoreliftPeer)
        {
            await target.CheckAsync(); // peers are known to make calls of their targets fail; we may not
        }

        return capture;
    }

    private static TimeSpan Microseconds(string answer, string key) =>
        TimeSpan.FromMicroseconds(TraceeAnswer.Number(answer, key));
}
