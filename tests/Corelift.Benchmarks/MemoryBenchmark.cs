using Corelift.V1;

namespace Corelift.Benchmarks;

/// <summary>
/// Memory of the agent: at rest, and by how much it grows with its worker during a capture. Each case has an agent of its
/// own, so that nothing which an earlier capture warmed up hides growth.
/// </summary>
internal static class MemoryBenchmark
{
    private const double IdleBar = 80e6, GrowthBar = 64e6;
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(2), s_sampling = TimeSpan.FromMilliseconds(5);
    private static readonly ReadingPace s_fast = new(TimeSpan.Zero, 0), s_slow = new(TimeSpan.FromMilliseconds(25), 200);
    private static readonly Strategy[] s_strategies = [Strategy.Precopy, Strategy.Fork, Strategy.Direct];

    private static readonly MemoryTarget[] s_targets =
    [
        new("1 GiB dirty, 10 threads", "canary", ["--mib", "1024", "--threads", "9"], 1UL << 30),
        new("8 GiB untouched and 2 GiB dirty", "canary", ["--mib", "2048", "--zero-mib", "8192"], 2UL << 30),
        // 603,000 draws hit a quarter of the 2 Mi pages: 2 GiB in about 400,000 islands.
        new("8 GiB, 2 GiB of it dirty in single pages", "reserved", ["--gib", "8", "--pages", "603000"], 2000UL << 20),
    ];

    private static readonly MemoryTarget[] s_quickTargets = [new("64 MiB dirty", "canary", ["--mib", "64", "--threads", "9"], 64UL << 20)];

    private sealed record MemoryTarget(string Name, string Tracee, string[] Arguments, ulong LeastBytes);

    internal static async Task RunAsync(BenchmarkRun run)
    {
        List<(long Before, long After)> idle = [];
        foreach (MemoryTarget shape in run.Quick ? s_quickTargets : s_targets)
        {
            using LiveProcess target = LiveProcess.Start(shape.Tracee, shape.Arguments);
            foreach (Strategy strategy in s_strategies)
            {
                await TryAsync(run, target, shape, strategy, s_fast, idle);
                if (!run.Quick)
                {
                    await TryAsync(run, target, shape with { Name = shape.Name + ", slow client" }, strategy, s_slow, idle);
                }

                run.WritePage();
            }
        }

        AddIdle(run, "before its first capture", [.. idle.Select(one => one.Before)]);
        AddIdle(run, "2 s after a capture", [.. idle.Select(one => one.After)]);
    }

    private static async Task TryAsync(
        BenchmarkRun run, LiveProcess target, MemoryTarget shape, Strategy strategy, ReadingPace pace, List<(long Before, long After)> idle)
    {
        string name = $"agent's growth by {strategy.ToString().ToLowerInvariant()}: {shape.Name}";
        try
        {
            idle.Add(await CaseAsync(run, target, shape, strategy, pace, name));
        }
        catch (Exception failure) when (!run.Cancellation.IsCancellationRequested)
        {
            bool refused = failure is Grpc.Core.RpcException { StatusCode: Grpc.Core.StatusCode.Unimplemented };
            run.MemoryFigures.Add(new Figure(name, failure.Message.OneLine(), "", "at most 64 MB", null));
            run.Say($"{name}: {failure.Message.OneLine()}");
            if (!refused)
            {
                run.Failures.Add($"{name}: {failure.Message.OneLine()}");
            }
        }
    }

    private static async Task<(long Before, long After)> CaseAsync(
        BenchmarkRun run, LiveProcess target, MemoryTarget shape, Strategy strategy, ReadingPace pace, string name)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        await Task.Delay(s_rest, run.Cancellation);
        long restingBytes = agent.ResidentBytes;
        AgentMemory before = AgentMemory.Of(agent.Pid);
        MemorySampler sampler = new(agent.Pid, s_sampling);
        CaptureTrailer trailer;
        await using (sampler)
        {
            trailer = await WireClient.CaptureAsync(agent, target, strategy, Compression.None, pace, run.Cancellation);
        }

        if (trailer.MemoryBytes < shape.LeastBytes)
        {
            throw new TestingException($"only {trailer.MemoryBytes} bytes captured");
        }

        await Task.Delay(s_rest, run.Cancellation);
        double growth = sampler.Peak.Own - before.Own;
        string spool = $"copies {((double)sampler.Peak.Spool).Megabytes()}";
        run.Say($"{name}: {growth.Megabytes()}, {spool}, {sampler.Samples} samples");
        run.MemoryFigures.Add(new Figure(name, growth.Megabytes(), spool, "at most 64 MB", growth <= GrowthBar));
        return (restingBytes, agent.ResidentBytes);
    }

    private static void AddIdle(BenchmarkRun run, string when, long[] bytes) => run.MemoryFigures.Add(
        bytes.Length == 0
            ? new Figure($"supervisor and front end at rest, {when}", "", "", "at most 80 MB", null)
            : new Figure(
                $"supervisor and front end at rest, {when}, the largest of {bytes.Length}", ((double)bytes.Max()).Megabytes(), "", "at most 80 MB",
                bytes.Max() <= IdleBar));
}
