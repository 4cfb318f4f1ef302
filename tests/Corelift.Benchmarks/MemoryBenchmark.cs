using Corelift.V1;

namespace Corelift.Benchmarks;

/// <summary>
/// Memory of the agent: at rest, and by how much it grows with its worker during a capture. Each case has an agent of its
/// own, so that nothing which an earlier capture warmed up hides growth.
/// </summary>
internal static class MemoryBenchmark
{
    private const double IdleBar = 60e6, GrowthBar = 64e6;
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(2);
    private static readonly ReadingPace s_fast = new(TimeSpan.Zero, 0), s_slow = new(TimeSpan.FromMilliseconds(25), 400);

    private static readonly (string Name, string Tracee, string[] Arguments, ulong LeastBytes)[] s_targets =
    [
        ("1 GiB dirty, 10 threads", "canary", ["--mib", "1024", "--threads", "9"], 1UL << 30),
        ("8 GiB untouched and 2 GiB dirty", "canary", ["--mib", "2048", "--zero-mib", "8192"], 2UL << 30),
        // 603,000 draws hit a quarter of the 2 Mi pages: 2 GiB in about 400,000 islands.
        ("8 GiB, 2 GiB of it dirty in single pages", "reserved", ["--gib", "8", "--pages", "603000"], 2000UL << 20),
    ];

    internal static async Task RunAsync(BenchmarkRun run)
    {
        List<(long Before, long After)> idle = [];
        foreach ((string name, string tracee, string[] arguments, ulong leastBytes) in s_targets)
        {
            using LiveProcess target = LiveProcess.Start(tracee, arguments);
            foreach (Strategy strategy in (Strategy[])[Strategy.Fork, Strategy.Direct])
            {
                idle.Add(await CaseAsync(run, target, name, strategy, s_fast, leastBytes));
                idle.Add(await CaseAsync(run, target, name + ", slow client", strategy, s_slow, leastBytes));
            }
        }

        AddIdle(run.Figures, "before its first capture", idle.Max(one => one.Before));
        AddIdle(run.Figures, "2 s after a capture", idle.Max(one => one.After));
    }

    private static async Task<(long Before, long After)> CaseAsync(
        BenchmarkRun run, LiveProcess target, string name, Strategy strategy, ReadingPace pace, ulong leastBytes)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        await Task.Delay(s_rest, run.Cancellation);
        long restingBytes = Proc.StatusBytes(agent.Pid, "VmRSS");
        AgentMemory before = AgentMemory.Of(agent.Pid);
        MemorySampler sampler = new(agent.Pid);
        CaptureTrailer trailer;
        await using (sampler)
        {
            trailer = await WireClient.CaptureAsync(agent, target, strategy, Compression.None, pace, run.Cancellation);
        }

        if (trailer.MemoryBytes < leastBytes)
        {
            throw new TestingException($"only {trailer.MemoryBytes} bytes captured of {name}");
        }

        await Task.Delay(s_rest, run.Cancellation);
        double growth = sampler.Peak.Own - before.Own;
        string way = strategy == Strategy.Fork ? "fork" : "direct";
        run.Say($"{way}, {name}: growth {growth.Megabytes()}, shared {((double)sampler.Peak.Shared).Megabytes()}, {sampler.Samples} samples");
        run.Figures.Add(new Figure(
            $"agent's growth by {way}: {name}", growth.Megabytes(), $"shared memory {((double)sampler.Peak.Shared).Megabytes()}",
            "at most 64 MB", growth <= GrowthBar));
        return (restingBytes, Proc.StatusBytes(agent.Pid, "VmRSS"));
    }

    private static void AddIdle(List<Figure> figures, string when, double bytes) =>
        figures.Add(new Figure($"agent at rest, {when}, the largest of {2 * 2 * s_targets.Length}", bytes.Megabytes(), "", "at most 60 MB", bytes <= IdleBar));
}
