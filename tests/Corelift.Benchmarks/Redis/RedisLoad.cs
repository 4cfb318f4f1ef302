namespace Corelift.Benchmarks;

/// <summary>redis-benchmark: clients that each send a SET of a random key as soon as the one before is answered.</summary>
internal static class RedisLoad
{
    private const int Clients = 16, TrialRequests = 50_000;
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(3);

    /// <summary>How many requests take about as long as this.</summary>
    internal static async Task<long> RequestsOfAsync(BenchmarkRun run, RedisServer server, TimeSpan duration)
    {
        RedisLatency trial = await RunAsync(run, server, TrialRequests);
        return (long)(trial.RequestsPerSecond * duration.TotalSeconds);
    }

    internal static async Task<RedisLatency> RunAsync(BenchmarkRun run, RedisServer server, long requests)
    {
        CommandResult result = await Command.RunAsync(
            "redis-benchmark",
            [
                "-s", server.SocketPath, "-t", "set", "-c", $"{Clients}", "-d", $"{RedisServer.ValueBytes}", "-r", $"{server.Keys}",
                "-n", $"{requests}", "--precision", "3",
            ],
            bound: s_bound, cancellation: run.Cancellation);
        return RedisLatency.Parse(result.Checked().Output);
    }
}
