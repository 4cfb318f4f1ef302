using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks;

/// <summary>The groups of the one table: memory, threads and dirtying vary one at a time. All fit into half an hour.</summary>
internal static class CaptureGroups
{
    private static readonly TimeSpan s_short = TimeSpan.FromSeconds(90), s_long = TimeSpan.FromSeconds(180);

    internal static Task PauseAsync(BenchmarkRun run) => RunAsync(run, run.Quick
        ? [Quick(new TargetShape(64, 10, 0), WithOwnFork())]
        :
        [
            new Scenario(new TargetShape(64, 10, 0), 10, s_short, WithOwnFork()),
            new Scenario(new TargetShape(1024, 10, 0), 7, s_long, WithOwnFork()),
            new Scenario(new TargetShape(1024, 10, 0) { Spins = false }, 7, s_short, Local()),
            new Scenario(new TargetShape(4096, 10, 0), 3, s_long, WithOwnFork()),
        ]);

    internal static Task ThreadsAsync(BenchmarkRun run) => RunAsync(run, run.Quick
        ? [Quick(new TargetShape(64, 1000, 0), WithPrototype())]
        :
        [
            new Scenario(new TargetShape(64, 1000, 0), 7, s_short, WithPrototype()),
            new Scenario(new TargetShape(64, 10000, 0), 3, s_short, WithPrototype()),
        ]);

    internal static Task DirtyAsync(BenchmarkRun run) => RunAsync(run, run.Quick
        ? [Quick(new TargetShape(64, 10, 500), Everybody())]
        :
        [
            new Scenario(new TargetShape(1024, 10, 10), 5, s_short, Everybody()),
            new Scenario(new TargetShape(1024, 10, 500), 5, s_short, Everybody()),
        ]);

    private static Scenario Quick(TargetShape shape, Peer[] peers) => new(shape, 2, TimeSpan.FromSeconds(30), peers);

    private static Peer[] Everybody() =>
    [
        new NobodyPeer(), new CoreliftPeer("precopy"), new CoreliftPeer("auto"), new CoreliftPeer("fork"), new CoreliftPeer("direct"),
        new GcorePeer(), new GdbserverPeer(), new CriuPeer(),
    ];

    /// <summary>Those whose elapsed time is compared.</summary>
    private static Peer[] Local() =>
        [new CoreliftPeer("precopy"), new CoreliftPeer("auto"), new CoreliftPeer("fork"), new CoreliftPeer("direct"), new GcorePeer()];

    private static Peer[] WithOwnFork() => [.. Everybody(), new OwnForkPeer()];

    private static Peer[] WithPrototype() => [.. Everybody(), new OneTracerPeer()];

    private static async Task RunAsync(BenchmarkRun run, Scenario[] scenarios)
    {
        foreach (Scenario scenario in scenarios)
        {
            try
            {
                await ScenarioRunner.RunAsync(run, scenario);
            }
            finally
            {
                foreach (Peer peer in scenario.Peers)
                {
                    await peer.DisposeAsync();
                }
            }
        }
    }
}
