using System.Diagnostics;
using System.Globalization;
using Corelift.V1;
using Grpc.Net.Client;

namespace Corelift.Benchmarks;

/// <summary>
/// Captures and stops of the same targets, one after the other, for as long as one likes (./run soak --minutes M): the agent's
/// memory, descriptors and threads stay as they are, and so do the targets. Not part of a whole run.
/// </summary>
internal static class SoakBenchmark
{
    /// <summary>Names the length in minutes; 1 without it.</summary>
    internal const string Variable = "CORELIFT_SOAK_MINUTES";

    private const double GrowthBar = 16e6;
    private const int WarmUpRounds = 100;
    private static readonly Strategy[] s_strategies = [Strategy.Fork, Strategy.Direct, Strategy.Precopy];

    /// <summary>Of the corpus, those that every strategy takes, and of which all can run at once: one alone keeps a CPU busy.</summary>
    private static readonly string[][] s_targets =
    [
        ["canary", "--mib", "8", "--threads", "4"], ["vectors", "--threads", "1"], ["blocking"], ["fds"], ["schedules"], ["iouring"],
        ["userfault"], ["edges"], ["prefork", "--mib", "8"], ["leaderless"],
    ];

    internal static async Task RunAsync(BenchmarkRun run)
    {
        double minutes = double.Parse(Environment.GetEnvironmentVariable(Variable) ?? "1", CultureInfo.InvariantCulture);
        await using AgentProcess agent = await AgentProcess.StartAsync();
        LiveProcess[] targets = [.. s_targets.Select(words => LiveProcess.Start(words[0], words[1..]))];
        try
        {
            Use? first = null;
            Use last = default;
            int rounds = 0;
            long began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began).TotalMinutes < minutes || rounds <= WarmUpRounds)
            {
                await RoundAsync(run, agent, targets[rounds % targets.Length], s_strategies[rounds / targets.Length % s_strategies.Length]);
                last = Use.Of(agent);
                first = ++rounds == WarmUpRounds ? last : first;
            }

            foreach (LiveProcess target in targets)
            {
                await target.CheckAsync();
            }

            await agent.AssertNoWorkersAsync();
            agent.AssertCleanLog();
            Use before = first ?? last;
            string name = $"soak of {rounds} captures and {rounds} stops in {Stopwatch.GetElapsedTime(began).Text()}";
            double growth = last.Bytes - before.Bytes;
            run.LoadFigures.Add(new Figure($"{name}: the agent's growth after {WarmUpRounds}", growth.Megabytes(), "", "at most 16 MB", growth <= GrowthBar));
            run.LoadFigures.Add(new Figure($"{name}: descriptors", $"{last.Descriptors}", $"{before.Descriptors} before", "at most 8 more", last.Descriptors <= before.Descriptors + 8));
        }
        finally
        {
            Array.ForEach(targets, target => target.Dispose());
        }
    }

    private static async Task RoundAsync(BenchmarkRun run, AgentProcess agent, LiveProcess target, Strategy strategy)
    {
        _ = await WireClient.CaptureAsync(agent, target, strategy, Compression.Lz4, default, run.Cancellation);
        using GrpcChannel channel = agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await control.StopAsync(
            new StopRequest { Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime } }, cancellationToken: run.Cancellation);
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId }, cancellationToken: run.Cancellation);
    }

    /// <summary>What the agent's two processes have.</summary>
    private readonly record struct Use(double Bytes, int Descriptors)
    {
        internal static Use Of(AgentProcess agent)
        {
            int[] processes = [agent.Pid, agent.FrontEndPid];
            return new Use(
                processes.Sum(pid => (double)Proc.StatusBytes(pid, "RssAnon")), processes.Sum(pid => Directory.GetFileSystemEntries($"/proc/{pid}/fd").Length));
        }
    }
}
