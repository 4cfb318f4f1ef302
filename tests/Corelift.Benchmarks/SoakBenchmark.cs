using System.Diagnostics;
using System.Globalization;
using Corelift.V1;
using Grpc.Net.Client;

namespace Corelift.Benchmarks;

/// <summary>
/// Captures and stops of the same targets for as long, or as often, as one likes (./run soak): the agent's memory and descriptors
/// stay as they are, and so do the targets, which look at themselves all the while. Not part of a whole run.
/// </summary>
internal static class SoakBenchmark
{
    /// <summary>Names the length in minutes; 1 without it.</summary>
    internal const string Minutes = "CORELIFT_SOAK_MINUTES";

    /// <summary>Names the number of captures, and of stops, to be made; overrides <see cref="Minutes"/>.</summary>
    internal const string Rounds = "CORELIFT_SOAK_ROUNDS";

    private const double GrowthBar = 16e6;
    private const int WarmUpRounds = 100;
    private const int RoundsPerCheck = 100;
    private const int RoundsPerLine = 5_000;
    private static readonly Strategy[] s_strategies = [Strategy.Fork, Strategy.Direct, Strategy.Precopy];

    /// <summary>
    /// Of the corpus, those that every strategy takes, and of which all can run at once: one alone keeps a CPU busy. A lane each:
    /// what is done to a target is done one after the other, and to those of different lanes at once.
    /// </summary>
    private static readonly string[][][] s_lanes =
    [
        [["canary", "--mib", "8", "--threads", "4"], ["blocking"], ["userfault"]],
        [["vectors", "--threads", "1"], ["fds"], ["edges"], ["leaderless"]],
        [["schedules"], ["iouring"], ["prefork", "--mib", "8"]],
    ];

    internal static async Task RunAsync(BenchmarkRun run)
    {
        double minutes = Number(Minutes) ?? 1;
        double rounds = Number(Rounds) ?? double.PositiveInfinity;
        await using AgentProcess agent = await AgentProcess.StartAsync();
        LiveProcess[][] lanes = [.. s_lanes.Select(lane => lane.Select(words => LiveProcess.Start(words[0], words[1..])).ToArray())];
        try
        {
            var soak = new Soak(run, agent, lanes);
            await soak.RunAsync(made => made < WarmUpRounds);
            Use before = Use.Of(agent);
            long began = Stopwatch.GetTimestamp();
            await soak.RunAsync(made => double.IsFinite(rounds) ? made < rounds : Stopwatch.GetElapsedTime(began).TotalMinutes < minutes);
            Use after = Use.Of(agent);
            await agent.AssertNoWorkersAsync();
            agent.AssertCleanLog();
            string name = $"soak of {soak.Made} captures and {soak.Made} stops in {Stopwatch.GetElapsedTime(began).Text()}";
            double growth = after.Bytes - before.Bytes;
            run.LoadFigures.Add(new Figure($"{name}: targets harmed", "0", $"{lanes.Sum(lane => lane.Length)} targets, {soak.Checks} looks", "0", true));
            run.LoadFigures.Add(new Figure($"{name}: the agent's growth after {WarmUpRounds}", growth.Megabytes(), "", "at most 16 MB", growth <= GrowthBar));
            run.LoadFigures.Add(new Figure($"{name}: descriptors", $"{after.Descriptors}", $"{before.Descriptors} before", "at most 8 more", after.Descriptors <= before.Descriptors + 8));
        }
        finally
        {
            Array.ForEach(lanes, lane => Array.ForEach(lane, target => target.Dispose()));
        }
    }

    private static double? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? double.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>What was done so far, by all lanes.</summary>
    private sealed class Soak(BenchmarkRun run, AgentProcess agent, LiveProcess[][] lanes)
    {
        private int _made;
        private int _checks;

        /// <summary>Captures, and as many stops.</summary>
        internal int Made => _made;

        /// <summary>How often a target looked at itself.</summary>
        internal int Checks => _checks;

        /// <summary>Goes on while told to by the number of rounds that were made; a failure of one lane ends all.</summary>
        internal async Task RunAsync(Func<int, bool> goesOn)
        {
            using var failed = CancellationTokenSource.CreateLinkedTokenSource(run.Cancellation);
            await Task.WhenAll(lanes.Select(lane => LaneAsync(lane, goesOn, failed)));
        }

        private async Task LaneAsync(LiveProcess[] targets, Func<int, bool> goesOn, CancellationTokenSource failed)
        {
            try
            {
                for (int i = 0; goesOn(_made) && !failed.IsCancellationRequested; i++)
                {
                    LiveProcess target = targets[i % targets.Length];
                    await RoundAsync(target, s_strategies[i / targets.Length % s_strategies.Length], failed.Token);
                    int made = Interlocked.Increment(ref _made);
                    if (i / targets.Length % RoundsPerCheck == RoundsPerCheck - 1)
                    {
                        await CheckAsync(target);
                    }

                    if (made % RoundsPerLine == 0)
                    {
                        run.Say($"{made} captures and {made} stops");
                    }
                }

                foreach (LiveProcess target in targets)
                {
                    await CheckAsync(target);
                }
            }
            catch (Exception)
            {
                await failed.CancelAsync();
                throw;
            }
        }

        private async Task RoundAsync(LiveProcess target, Strategy strategy, CancellationToken cancellation)
        {
            _ = await WireClient.CaptureAsync(agent, target, strategy, Compression.Lz4, default, cancellation);
            using GrpcChannel channel = agent.Connect();
            ControlService.ControlServiceClient control = new(channel);
            StopResponse lease = await control.StopAsync(
                new StopRequest { Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime } }, cancellationToken: cancellation);
            await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId }, cancellationToken: cancellation);
        }

        private async Task CheckAsync(LiveProcess target)
        {
            await target.CheckAsync();
            Interlocked.Increment(ref _checks);
        }
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
