using System.Text.Json;

namespace Corelift.EndToEnd.Tests;

/// <summary>Targets of so many threads that several tracers share them: each thread is there, once, with what is its own.</summary>
public sealed class ManyThreadsTests : AgentTest
{
    [Theory]
    [InlineData("fork", 1000)]
    [InlineData("direct", 1000)]
    [InlineData("fork", 10_000)]
    public async Task A_target_of_many_threads_has_each_of_them_in_the_core(string strategy, int count)
    {
        using LiveProcess target = LiveProcess.Start("threads", "--count", $"{count}");
        SnapshotReport report = await SnapshotAsync(target, strategy);
        await target.CheckAsync();

        Assert.Equal(count + 1, report.Threads);
        using CoreImage core = new(CorePath);
        Assert.Equal(count + 1, core.Threads.Distinct().Count());
        HashSet<int> tids = [.. core.Threads];
        ulong table = TraceeMemory.Address(target.Facts["table"]);
        for (ulong entry = table; entry < table + (16 * (ulong)count); entry += 16)
        {
            ulong tid = core.ReadWord(entry);
            Assert.Contains((int)tid, tids);
            ulong mark = core.ReadWord(entry + 8);
            Assert.Equal(TraceeMemory.Word(tid, 7), core.ReadWord(mark));
            Assert.InRange(mark - core.StackPointer((int)tid), 0ul, 4096ul); // the registers are this thread's
        }
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_storm_of_births_among_many_threads_is_captured_whole(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("storm", "--idle", "700", "--makers", "4");
        for (int round = 0; round < 5; round++)
        {
            long before = await target.AskNumberAsync("births", "births");
            SnapshotReport report = await SnapshotAsync(target, strategy, "stacks");
            using (CoreImage core = new(CorePath))
            {
                HashSet<int> tids = [.. core.Threads];
                Assert.Equal(report.Threads, tids.Count);
                Assert.All(target.Facts["lasting"].Split(','), tid => Assert.Contains(int.Parse(tid, System.Globalization.CultureInfo.InvariantCulture), tids));
            }

            await target.CheckAsync();
            await Wait.UntilAsync(async () => await target.AskNumberAsync("births", "births") > before, Wait.Soon, () => "births go on");
            File.Delete(CorePath);
        }
    }

    [Fact]
    public async Task Every_threads_stop_has_its_time_in_the_note()
    {
        using LiveProcess target = LiveProcess.Start("threads", "--count", "1000");
        SnapshotReport report = await SnapshotAsync(target, "direct", "stacks");
        Assert.InRange(report.SkewMicroseconds, 1, report.PauseMicroseconds);
        using CoreImage core = new(CorePath);
        using JsonDocument record = JsonDocument.Parse(core.Notes.Single(note => note.Name == "CORELIFT").Content);
        long[] stops = [.. record.RootElement.GetProperty("thread_stops").EnumerateArray().Select(stop => stop.GetProperty("stopped_after_ns").GetInt64())];
        Assert.Equal(1001, stops.Length);
        Assert.Equal(record.RootElement.GetProperty("skew_ns").GetInt64() / 1000, (stops.Max() - stops.Min()) / 1000);
        Assert.True(stops.Distinct().Count() > 100, "stops one after the other have times of their own");
    }
}
