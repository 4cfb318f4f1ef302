using System.Diagnostics;
using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>
/// Bytes a second of a target of noise into a core on a tmpfs, against what the same gRPC stack moves from a constant buffer
/// into nothing over the same kind of socket.
/// </summary>
internal static class StreamingBenchmark
{
    private const int Rounds = 5;
    private const double Least = 0.8;
    private const string Tmpfs = "/dev/shm";

    internal static async Task RunAsync(BenchmarkRun run)
    {
        int mebibytes = run.Quick ? 64 : 1024;
        if (!Directory.Exists(Tmpfs) || new DriveInfo(Tmpfs).DriveFormat != "tmpfs")
        {
            run.StreamingFigures.Add(new Figure("bytes a second into a core on a tmpfs", $"{Tmpfs} is no tmpfs", "", "at least 0.8", null));
            return;
        }

        DirectoryInfo folder = Directory.CreateDirectory(Path.Combine(Tmpfs, $"corelift-bench-{Environment.ProcessId}"));
        try
        {
            await MeasureAsync(run, mebibytes, folder);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task MeasureAsync(BenchmarkRun run, int mebibytes, DirectoryInfo folder)
    {
        long bytes = (long)mebibytes << 20;
        string core = Path.Combine(folder.FullName, "streamed.core");
        List<TimeSpan> ours = [], constant = [];
        await using AgentProcess agent = await AgentProcess.StartAsync();
        await using ConstantServer server = await ConstantServer.StartAsync(folder.FullName, bytes);
        using LiveProcess target = LiveProcess.Start("canary", "--mib", $"{mebibytes}");
        for (int round = 0; round <= Rounds; round++) // the first one warms up
        {
            long began = Stopwatch.GetTimestamp();
            await server.DrainAsync(run.Cancellation);
            TimeSpan theirs = Stopwatch.GetElapsedTime(began);
            CommandResult result = (await Command.RunAsync(
                Artifacts.Cli, ["snapshot", $"{target.Pid}", "-o", core, "--force", "--strategy", "fork", "--agent", agent.Address, "--json"],
                cancellation: run.Cancellation)).Checked();
            File.Delete(core);
            if (round > 0)
            {
                constant.Add(theirs);
                ours.Add(TimeSpan.FromMilliseconds(SnapshotReport.Parse(result.Output).ElapsedMilliseconds));
            }
        }

        double rate = bytes / ours.Median().TotalSeconds, beside = bytes / constant.Median().TotalSeconds;
        run.Say($"a core on a tmpfs: {rate.Megabytes()}/s; a constant buffer into nothing: {beside.Megabytes()}/s");
        run.StreamingFigures.Add(new Figure(
            $"bytes a second into a core on a tmpfs, {mebibytes} MiB of noise, fork", $"{rate.Megabytes()}/s", $"a constant buffer into nothing {beside.Megabytes()}/s",
            string.Create(CultureInfo.InvariantCulture, $"at least {Least} of it: {rate / beside:0.00}"), rate >= beside * Least));
        run.WritePage();
    }
}
