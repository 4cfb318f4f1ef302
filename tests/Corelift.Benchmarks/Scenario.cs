using System.Globalization;
using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks;

/// <summary>A target to capture: its memory, all its threads, and how much of its memory it dirties a second.</summary>
internal sealed record TargetShape(int Mebibytes, int Threads, int DirtyMegabytesPerSecond)
{
    internal string MemoryName => Mebibytes % 1024 == 0 ? $"{Mebibytes / 1024} GiB" : $"{Mebibytes} MiB";

    internal string Name => string.Create(
        CultureInfo.InvariantCulture,
        $"{MemoryName}, {Threads:#,0} threads, {(DirtyMegabytesPerSecond == 0 ? "idle" : $"{DirtyMegabytesPerSecond} MB/s")}");

    /// <summary>Starts it. Of its threads one is main, one spins on the clock, and one writes where it dirties.</summary>
    internal LiveProcess Start()
    {
        int others = DirtyMegabytesPerSecond == 0 ? 2 : 3;
        LiveProcess target = LiveProcess.Start(
            "dirtier", "--mib", $"{Mebibytes}", "--threads", $"{Threads - others}", "--mbps", $"{DirtyMegabytesPerSecond}");
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
