using System.Globalization;
using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks;

/// <summary>A target to capture: its memory, all its threads, and how much of its memory it dirties a second.</summary>
internal sealed record TargetShape(int Mebibytes, int Threads, int DirtyMegabytesPerSecond)
{
    /// <summary>Whether one of its threads looks at the clock all the while, so that a stop is seen from within.</summary>
    internal bool Spins { get; init; } = true;

    internal string MemoryName => Mebibytes % 1024 == 0 ? $"{Mebibytes / 1024} GiB" : $"{Mebibytes} MiB";

    internal string Name => string.Create(
        CultureInfo.InvariantCulture,
        $"{MemoryName}, {Threads:#,0} threads, {State}");

    private string State => DirtyMegabytesPerSecond != 0 ? string.Create(CultureInfo.InvariantCulture, $"{DirtyMegabytesPerSecond} MB/s") : Spins ? "idle" : "asleep";

    /// <summary>Starts it. Of its threads one is main, one spins on the clock unless all sleep, and one writes where it dirties.</summary>
    internal LiveProcess Start()
    {
        int others = 1 + (Spins ? 1 : 0) + (DirtyMegabytesPerSecond == 0 ? 0 : 1);
        LiveProcess target = LiveProcess.Start(
            "dirtier", "--mib", $"{Mebibytes}", "--threads", $"{Threads - others}", "--mbps", $"{DirtyMegabytesPerSecond}", "--spin", Spins ? "1" : "0");
        int threads = Proc.Tasks(target.Pid).Length;
        if (threads != Threads)
        {
            target.Dispose();
            throw new TestingException($"the target has {threads} threads, not {Threads}");
        }

        return target;
    }
}

/// <summary>One shape through several programs.</summary>
/// <param name="Shape">The target.</param>
/// <param name="Rounds">Repeats of each program, fewer where the time runs out.</param>
/// <param name="Budget">No new round begins after this time; the first one is always made.</param>
/// <param name="Peers">The programs, in the order of the table.</param>
internal sealed record Scenario(TargetShape Shape, int Rounds, TimeSpan Budget, IReadOnlyList<Peer> Peers);
