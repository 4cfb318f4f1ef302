using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks;

/// <summary>A way of saving a redis under load: by us, by gcore, by its own BGSAVE, or not at all.</summary>
internal sealed record RedisSaver(string Name, Func<BenchmarkRun, RedisServer, Task<RedisSave>> SaveAsync)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2), s_interval = TimeSpan.FromMilliseconds(200);

    internal static RedisSaver Nobody { get; } = new("no snapshot", (_, _) => Task.FromResult(new RedisSave(null, "")));

    internal static RedisSaver Gcore { get; } = new("gcore", async (run, server) =>
    {
        _ = await GcorePeer.DumpAsync(run, server.Pid, server.Keys * RedisServer.ValueBytes);
        return new RedisSave(null, "");
    });

    internal static RedisSaver BackgroundSave { get; } = new("BGSAVE", async (run, server) =>
    {
        _ = await server.AskAsync(run, "BGSAVE");
        string info = await AwaitSavedAsync(run, server);
        return info.Contains("rdb_last_bgsave_status:ok", StringComparison.Ordinal)
            ? new RedisSave(null, "a file of redis's own, no core")
            : throw new TestingException("BGSAVE failed");
    });

    internal static RedisSaver Corelift(CoreliftPeer peer) => new($"corelift, {peer.Name}", async (run, server) =>
    {
        (CommandResult result, string core) = await peer.SnapshotAsync(run, server.Pid, "--json");
        SnapshotReport report = SnapshotReport.Parse(result.Output);
        return new FileInfo(core).Length > server.Keys * RedisServer.ValueBytes
            ? new RedisSave(TimeSpan.FromMicroseconds(report.PauseMicroseconds), $"by {report.Strategy}")
            : throw new TestingException("no whole core of redis");
    });

    // Asked seldom: each question is a process of its own, beside a load that is measured.
    private static async Task<string> AwaitSavedAsync(BenchmarkRun run, RedisServer server)
    {
        for (long start = Environment.TickCount64; Environment.TickCount64 - start < s_patience.TotalMilliseconds;)
        {
            await Task.Delay(s_interval, run.Cancellation);
            string info = await server.AskAsync(run, "INFO", "persistence");
            if (info.Contains("rdb_bgsave_in_progress:0", StringComparison.Ordinal))
            {
                return info;
            }
        }

        throw new TestingException($"BGSAVE did not end in {s_patience.TotalSeconds:0} s");
    }
}

/// <summary>How a save went.</summary>
internal sealed record RedisSave(TimeSpan? Pause, string Note);
