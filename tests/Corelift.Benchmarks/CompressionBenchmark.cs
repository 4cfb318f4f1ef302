using Corelift.Benchmarks.Peers;
using Corelift.V1;

namespace Corelift.Benchmarks;

/// <summary>What each compression costs and saves, for memory that is text and for memory that is noise.</summary>
internal static class CompressionBenchmark
{
    private const int Rounds = 3;

    private static readonly (string Name, string Tracee)[] s_targets = [("text", "text"), ("noise", "canary")];
    private static readonly (string Name, Compression Value)[] s_ways =
        [("none", Compression.None), ("lz4", Compression.Lz4), ("zstd", Compression.Zstd)];

    internal static async Task RunAsync(BenchmarkRun run)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        await using CoreliftPeer fork = new("fork");
        foreach ((string name, string tracee) in s_targets)
        {
            using LiveProcess target = LiveProcess.Start(tracee, "--mib", run.Quick ? "64" : "512");
            foreach ((string way, Compression value) in s_ways)
            {
                CaptureTrailer trailer = await WireClient.CaptureAsync(agent, target, Strategy.Fork, value, default, run.Cancellation);
                List<TimeSpan> elapsed = [];
                for (int round = 0; round < Rounds; round++)
                {
                    await run.ClearScratchAsync();
                    elapsed.Add((await fork.SnapshotAsync(run, target.Pid, "--compression", way)).Result.Elapsed);
                }

                run.Compression.Add(new CompressionRow(name, way, elapsed.Median(), trailer.MemoryBytes, trailer.PackedBytes));
                run.Say($"{name}, {way}: {elapsed.Median().Text()}, {((double)trailer.PackedBytes).Megabytes()} on the wire");
                run.WritePage();
            }
        }

        await run.ClearScratchAsync();
    }
}
