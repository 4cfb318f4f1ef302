using System.Diagnostics;
using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks;

/// <summary>A real server under a real load: what its clients see of a snapshot.</summary>
internal static class RedisBenchmark
{
    private static readonly TimeSpan s_lead = TimeSpan.FromSeconds(2), s_patience = TimeSpan.FromMinutes(2);

    // The first two, no snapshot and ours, have a bar between them and are repeated more often than the rest.
    private const int Compared = 2, RoundsOfOthers = 2;

    // Sizes in GiB, repeats, seconds of load; a load has to outlast the capture in it.
    private static readonly (int Gibibytes, int Rounds, int Seconds)[] s_sizes = [(1, 5, 10), (4, 1, 25)];

    internal static async Task RunAsync(BenchmarkRun run)
    {
        foreach ((int gibibytes, int rounds, int seconds) in run.Quick ? [(1, 1, 5)] : s_sizes)
        {
            await using CoreliftPeer auto = new("auto"), fork = new("fork");
            RedisSaver[] savers = [RedisSaver.Nobody, RedisSaver.Corelift(auto), RedisSaver.Corelift(fork), RedisSaver.Gcore, RedisSaver.BackgroundSave];
            RedisRow[] rows = [.. savers.Select(saver => new RedisRow(gibibytes, saver.Name))];
            run.Redis.AddRange(rows);
            for (int round = 0; round < rounds && (round == 0 || run.HasTime); round++)
            {
                int tried = round < RoundsOfOthers ? savers.Length : Compared;
                foreach ((RedisSaver saver, RedisRow row) in savers.Zip(rows).Take(tried).Where(pair => pair.Second.Trouble is null))
                {
                    await TryAsync(run, saver, row, (long)gibibytes << 30, TimeSpan.FromSeconds(seconds));
                    run.WritePage();
                }
            }

            run.RedisFigures.AddRange(RedisBars.Of(rows));
        }

        await run.ClearScratchAsync();
    }

    // A server of its own for each: one that was forked or write-protected before is not like a new one.
    private static async Task TryAsync(BenchmarkRun run, RedisSaver saver, RedisRow row, long bytes, TimeSpan duration)
    {
        try
        {
            await run.ClearScratchAsync();
            await using RedisServer server = await RedisServer.StartAsync(run, bytes);
            long requests = await RedisLoad.RequestsOfAsync(run, server, duration);
            RedisRun one = await LoadAsync(run, saver, server, requests);
            row.Runs.Add(one);
            run.Say($"  redis, {row.Size}, {row.Who}: p50 {one.Latency.P50.Text()}, p99 {one.Latency.P99.Text()}, p99.9 {one.Latency.P999.Text()}, "
                + $"max {one.Latency.Max.Text()}, {one.Latency.RequestsPerSecond:0}/s; pause {one.Pause.Text()}, elapsed {one.CaptureElapsed.Text()} {one.Note}");
        }
        catch (Exception failure) when (!run.Cancellation.IsCancellationRequested)
        {
            row.Trouble = failure.Message.OneLine();
            row.Failed = failure is not CannotException;
            run.Say($"  redis, {row.Size}, {row.Who}: {row.Trouble}");
        }
    }

    private static async Task<RedisRun> LoadAsync(BenchmarkRun run, RedisSaver saver, RedisServer server, long requests)
    {
        Task<RedisLatency> load = RedisLoad.RunAsync(run, server, requests);
        try
        {
            await Task.Delay(s_lead, run.Cancellation);
            long start = Stopwatch.GetTimestamp();
            RedisSave save = await saver.SaveAsync(run, server);
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            string note = load.IsCompleted ? $"{save.Note} the load ended before the capture did".Trim() : save.Note;
            return new RedisRun(await load, save.Pause, saver == RedisSaver.Nobody ? null : elapsed, note);
        }
        catch
        {
            // Not left to run into the next row; what it says is of no use any more.
            await ((Task)load).WaitAsync(s_patience, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }
}
