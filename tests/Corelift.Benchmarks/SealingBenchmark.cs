using Corelift.Benchmarks.Peers;
using Corelift.Testing.Oracles;

namespace Corelift.Benchmarks;

/// <summary>What sealing costs: the same target unsealed, kept sealed, opened as it comes, and opened later.</summary>
internal static class SealingBenchmark
{
    private const int Rounds = 3;

    internal static async Task RunAsync(BenchmarkRun run)
    {
        int mebibytes = run.Quick ? 64 : 1024;
        using ScratchFolder keys = new();
        AgeKey key = await Age.KeyAsync(keys.File("key.txt"));
        await using CoreliftPeer fork = new("fork");
        using LiveProcess target = LiveProcess.Start("canary", "--mib", $"{mebibytes}");
        (string Name, string[] Arguments)[] ways = [("unsealed", []), ("sealed, opened as it comes", ["-i", key.Path]), ("sealed, kept", ["--seal-to", key.Recipient])];
        Dictionary<string, List<TimeSpan>> elapsed = [];
        string opened = run.ScratchPath("opened.core");
        for (int round = 0; round <= Rounds; round++) // the first one warms up
        {
            foreach ((string name, string[] arguments) in ways)
            {
                await run.ClearScratchAsync();
                (CommandResult result, string file) = await fork.SnapshotAsync(run, target.Pid, arguments);
                Add(name, result.Elapsed, round);
                if (arguments is ["--seal-to", _])
                {
                    result = (await Command.RunAsync(Artifacts.Cli, ["open", file, "-i", key.Path, "-o", opened], cancellation: run.Cancellation)).Checked();
                    Add("opened later", result.Elapsed, round);
                }
            }
        }

        foreach ((string name, List<TimeSpan> times) in elapsed)
        {
            run.Sealing.Add(new SealingRow(name, times.Median(), (ulong)mebibytes << 20));
            run.Say($"{name}: {times.Median().Text()}");
        }

        run.WritePage();
        await run.ClearScratchAsync();

        void Add(string name, TimeSpan time, int round)
        {
            if (round > 0)
            {
                elapsed.TryAdd(name, []);
                elapsed[name].Add(time);
            }
        }
    }
}
