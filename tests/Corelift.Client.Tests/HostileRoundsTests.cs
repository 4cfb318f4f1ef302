using Corelift.Client.Tests.Scripted;
using Corelift.V1;

namespace Corelift.Client.Tests;

/// <summary>Agents that break the contract of live rounds: a clear failure, and neither a core nor a partial file.</summary>
public sealed class HostileRoundsTests
{
    private const SnapshotFailure Violation = SnapshotFailure.Violation;
    private const int Page = SyntheticCapture.PageSize;

    private static readonly (string Name, Action<SyntheticCapture> Spoil, SnapshotFailure Failure, string Says)[] s_spoiled =
    [
        ("memory of a round after the instant", c => c.Memory[0].Memory.Round = 3, Violation, "round 3 among that of the instant"),
        ("memory of the instant before it", c => c.LiveMemory[7].Memory.Round = 0, Violation, "round 0"),
        ("a round that is over", c => c.LiveMemory[7].Memory.Round = 1, Violation, "round 1 in round 2"),
        ("a round of four billion", c => c.LiveMemory[7].Memory.Round = uint.MaxValue, SnapshotFailure.LimitExceeded, "rounds"),
        ("a round that the instant does not name", c => c.Instant.Rounds.RemoveAt(1), Violation, "memory of round 2"),
        ("rounds out of order", c => c.Instant.Rounds[0].Round = 2, Violation, "1 was due"),
        ("a round that took less than nothing", c => c.Instant.Rounds[0].Duration.Nanos = -1, Violation, "a time"),
        ("a million rounds claimed", c => c.Instant.Rounds.AddRange(Enumerable.Range(3, 2000).Select(i => new LiveRound { Round = (uint)i })), SnapshotFailure.LimitExceeded, "rounds"),
        ("memory of a round out of order", c => c.LiveMemory.Reverse(0, 2), Violation, "out of order"),
        ("memory of a round twice", c => c.LiveMemory.Insert(1, c.LiveMemory[0]), Violation, "out of order"),
        ("live memory outside of what is live", c => c.LiveMemory[5].Memory.Address = SyntheticCapture.Data(256), Violation, "outside"),
        ("memory of what is gone", c => c.Memory[0].Memory.Address = SyntheticCapture.GoneStart, Violation, "outside"),
        ("a live hole outside of what is live", c => c.LiveMemory[3].Hole.Range.End += 4 * Page, Violation, "hole"),
        ("a live hole without a range", c => c.LiveMemory[3].Hole.Range = null, Violation, "hole"),
        ("zeros before the instant", c => c.LiveMemory.Add(SyntheticCapture.NewZero(SyntheticCapture.Data(0), 1)), Violation, "Zero"),
        ("zeros outside of what is captured", c => c.Memory[1].Zero.Range = SyntheticCapture.Range(SyntheticCapture.GoneStart, Page), Violation, "zeros"),
        ("zeros beyond their range", c => c.Memory[1].Zero.Range.End = SyntheticCapture.Data(513), Violation, "zeros"),
        ("zeros without a range", c => c.Memory[1].Zero.Range = null, Violation, "zeros"),
        ("zeros of half a page", c => c.Memory[1].Zero.Range.End--, Violation, "zeros"),
        ("backward zeros", c => c.Memory[1].Zero.Range.End = 0, Violation, "zeros"),
        ("zeros twice", c => c.Memory.Add(c.Memory[1]), Violation, "out of order"),
        ("zeros where memory came", c => c.Memory[1].Zero.Range.Start = SyntheticCapture.Data(9), Violation, "otherwise"),
        ("memory where zeros came", c => c.Memory[2] = SyntheticCapture.Chunk(SyntheticCapture.Data(29), Page), Violation, "otherwise"),
        ("a hole where zeros came", c => c.Memory.Insert(2, SyntheticCapture.NewHole(SyntheticCapture.Data(25), 1)), Violation, "otherwise"),
        ("a hole where memory came", c => c.Memory.Insert(2, SyntheticCapture.NewHole(SyntheticCapture.Data(9), 1)), Violation, "otherwise"),
        ("memory where a hole came", c => c.Memory[5].Memory = SyntheticCapture.Chunk(SyntheticCapture.StackStart + Page, Page).Memory, Violation, "otherwise"),
        ("live VMAs that overlap", c => c.LiveVmas[1].Vmas[1] = SyntheticCapture.NewVma(SyntheticCapture.GoneStart + Page, 9, "rw-p", "", Consistency.Instant), Violation, "overlaps"),
        ("live VMAs that overlap from message to message", c => c.LiveVmas.Reverse(), Violation, "LiveVmas"),
        ("live VMAs without the last", c => c.LiveVmas[1].IsLast = false, Violation, "LiveVmas was due"),
        ("live VMAs after the last", c => c.LiveVmas.Add(c.LiveVmas[0]), Violation, "LiveVmas"),
        ("live VMAs without a region", c => c.LiveVmas[0].Vmas[0].Regions.Clear(), Violation, "regions"),
        ("no live VMAs, but memory", c => c.LiveVmas.Clear(), Violation, "Memory"),
        ("empty live VMAs", c => c.LiveVmas.Insert(0, new LiveVmas()), Violation, "empty"),
        ("totals without the live rounds", c => c.Trailer = Changed(c, t => t.MemoryBytes -= 256 * Page), Violation, "bytes of memory"),
        ("wrong count of chunks", c => c.Trailer = Changed(c, t => t.ChunkCount--), Violation, "chunks"),
        ("wrong zeros", c => c.Trailer = Changed(c, t => t.ZeroBytes -= Page), Violation, "zeros"),
        ("wrong bytes in holes", c => c.Trailer = Changed(c, t => t.HoleBytes -= Page), Violation, "holes"),
        ("wrong digest", c => c.Trailer = Changed(c, t => t.Digest ^= 1), Violation, "digest"),
        ("a live byte changed", c => { c.Trailer = c.Sums(); c.LiveMemory[2] = SyntheticCapture.Live(1, SyntheticCapture.DataStart, new byte[256 * Page]); }, Violation, "digest"),
        ("memory dropped in a round, but the snapshot whole", c => c.LiveMemory[6].Hole.Reason = HoleReason.Dropped, Violation, "dropped"),
    ];

    public static TheoryData<string> Spoiled => [.. s_spoiled.Select(entry => entry.Name)];

    [Theory, MemberData(nameof(Spoiled))]
    public async Task A_spoiled_capture_is_refused_and_leaves_nothing(string name)
    {
        (_, Action<SyntheticCapture> spoil, SnapshotFailure failure, string says) = s_spoiled.Single(entry => entry.Name == name);
        SyntheticCapture capture = SyntheticCapture.WithRounds();
        spoil(capture);

        await HostileAgentTests.AssertRefusedAsync(agent => agent.CaptureWith(capture.Messages()), failure, says);
    }

    public static TheoryData<int> Each => [.. Enumerable.Range(0, SyntheticCapture.WithRounds().Messages().Count)];

    [Theory, MemberData(nameof(Each))]
    public async Task Messages_that_are_missing_or_doubled_never_make_a_core(int index)
    {
        List<CaptureResponse> messages = SyntheticCapture.WithRounds().Messages();
        await HostileAgentTests.AssertRefusedAsync(
            agent => agent.CaptureWith(messages.Where((_, at) => at != index)), null, "nothing was kept");
        await HostileAgentTests.AssertRefusedAsync(
            agent => agent.CaptureWith([.. messages.Take(index + 1), .. messages.Skip(index)]), null, "nothing was kept");
    }

    [Fact]
    public Task Rounds_without_end_are_cut() => AssertCutAsync(
        Enumerable.Range(1, int.MaxValue).Select(round => SyntheticCapture.Live((uint)round, SyntheticCapture.DataStart, SyntheticCapture.Old(1))),
        new SnapshotLimits { MaxRounds = 20 },
        "more than 20 rounds");

    [Fact]
    public Task The_memory_of_all_rounds_counts() => AssertCutAsync(
        Enumerable.Range(1, int.MaxValue).Select(round => SyntheticCapture.Live((uint)round, SyntheticCapture.DataStart, SyntheticCapture.Old(1))),
        new SnapshotLimits { MaxMemoryBytes = 10 * Page },
        "40960 bytes of memory");

    [Fact]
    public Task Holes_without_end_are_cut() => AssertCutAsync(
        Enumerable.Repeat(SyntheticCapture.NewHole(SyntheticCapture.DataStart, 1), int.MaxValue),
        new SnapshotLimits { MaxHoles = 50 },
        "more than 50 holes");

    [Fact]
    public Task Live_vmas_without_end_are_cut() => HostileAgentTests.AssertRefusedAsync(
        agent => agent.CaptureWith(
        [
            SyntheticCapture.WithRounds().Messages()[0],
            .. Enumerable.Range(1, 100).Select(i => new CaptureResponse
            {
                LiveVmas = new LiveVmas { Vmas = { SyntheticCapture.NewVma((ulong)i * Page, 1, "rw-p", "", Consistency.Instant) } },
            }),
        ]),
        SnapshotFailure.LimitExceeded,
        "more than 30 VMAs",
        new SnapshotLimits { MaxVmas = 30 });

    [Fact]
    public async Task Zeros_without_end_are_cut()
    {
        SyntheticCapture capture = SyntheticCapture.WithRounds();
        capture.Memory.Clear();
        capture.Memory.AddRange(Enumerable.Range(0, 100).Select(i => SyntheticCapture.NewZero(SyntheticCapture.Data(2 * i), 1)));

        await HostileAgentTests.AssertRefusedAsync(
            agent => agent.CaptureWith(capture.Messages()), SnapshotFailure.LimitExceeded, "more than 40 ranges", new SnapshotLimits { MaxZeroRanges = 40 });
    }

    [Fact]
    public async Task Live_memory_for_a_pipe_is_refused()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithRounds().Messages());
        await using CoreliftClient client = agent.Connect();
        using MemoryStream bytes = new();

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(() => client.SnapshotAsync(
            new SnapshotRequest { Target = new ProcessRef { Pid = SyntheticCapture.Pid } }, SnapshotDestination.ToStream(new PipeLike(bytes))));

        Assert.Equal(Violation, failure.Failure);
        Assert.Equal(0, bytes.Length);
    }

    private static Task AssertCutAsync(IEnumerable<CaptureResponse> live, SnapshotLimits limits, string says) =>
        HostileAgentTests.AssertRefusedAsync(
            agent => agent.CaptureWith(SyntheticCapture.WithRounds().Messages().Take(3).Concat(live)), SnapshotFailure.LimitExceeded, says, limits);

    private static CaptureTrailer Changed(SyntheticCapture capture, Action<CaptureTrailer> change)
    {
        CaptureTrailer trailer = capture.Sums();
        change(trailer);
        return trailer;
    }
}
