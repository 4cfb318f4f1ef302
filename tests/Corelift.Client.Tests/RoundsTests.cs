using Corelift.Client.Tests.Scripted;
using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Tests;

/// <summary>Strategy precopy by a well-behaved agent.</summary>
public sealed class RoundsTests
{
    private const int Page = SyntheticCapture.PageSize;

    private static readonly SnapshotRequest s_request = new() { Target = new ProcessRef { Pid = SyntheticCapture.Pid } };

    [Fact]
    public async Task Of_each_address_the_last_word_counts()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        SnapshotResult result = await CaptureAsync(agent, SyntheticCapture.WithRounds());

        await using FileStream file = File.OpenRead(agent.File("x.core"));
        CoreVerification verification = CoreVerifier.Verify(file);
        Assert.Empty(verification.Findings);
        using CoreFile core = CoreFile.Open(file, leaveOpen: true);
        AssertMemory(core, SyntheticCapture.CodeStart, 2, isZero: false); // of round 1 alone
        AssertMemory(core, SyntheticCapture.Data(0), 20, isZero: false);
        AssertMemory(core, SyntheticCapture.Data(20), 11, isZero: true);
        AssertMemory(core, SyntheticCapture.Data(31), 225, isZero: false);
        AssertMemory(core, SyntheticCapture.Data(256), 44, isZero: true);
        AssertMemory(core, SyntheticCapture.Data(300), 212, isZero: false);
        AssertMemory(core, SyntheticCapture.StackStart, 2, isZero: true);
        AssertMemory(core, SyntheticCapture.StackStart + (2 * Page), 2, isZero: false);
        Assert.Equal(0, core.Read(SyntheticCapture.GoneStart, new byte[1]));
        Assert.Equal(result.FileLengthBytes, file.Length);
    }

    [Fact]
    public async Task The_result_and_the_record_tell_of_the_rounds()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        SyntheticCapture capture = SyntheticCapture.WithRounds();
        capture.Instant.Reasons.Add("precopy: it converges");
        capture.Vmas[1].Regions[0].Consistency = Consistency.SharedLive;

        SnapshotResult result = await CaptureAsync(agent, capture);

        Assert.Equal([new RecordRound(1, 1 << 20, 5_000_000), new RecordRound(2, 1 << 20, 5_000_000)], result.Rounds);
        Assert.Equal(["fork: the pause is shortest", "precopy: it converges"], result.Record.Reasons);
        Assert.Equal(("precopy", Strategy.Precopy, false), (result.Record.Strategy, result.Strategy, result.IsPartial));
        Assert.Contains(result.Record.Phases, phase => phase.Name == "scan");
        Assert.Equal(SyntheticCapture.GonePages * Page, result.Record.UnreferencedBytes);
        Assert.Equal((2 + 20 + 225 + 212 + 2) * Page, result.CapturedBytes);
        Assert.Equal((2 + 4 + 256 + 3 + 10 + 1 + 10 + 225 + 212 + 2) * Page, result.ReceivedBytes);
        Assert.Equal(3 * Page, result.HoleBytes);
        Assert.Contains(new RecordHole(SyntheticCapture.Data(30), SyntheticCapture.Data(31), "unreadable"), result.Record.Holes);
        Assert.Contains(new RecordHole(SyntheticCapture.StackStart, SyntheticCapture.StackStart + (2 * Page), "unreadable"), result.Record.Holes);
        Assert.Contains(result.Record.NotOfTheInstant, range => range.Consistency == "shared-live");
        await using FileStream file = File.OpenRead(agent.File("x.core"));
        Assert.Equal(result.Record.ToJson(), CoreVerifier.Verify(file).Record!.ToJson());
    }

    [Fact]
    public async Task A_hole_of_a_round_holds_until_something_else_is_said()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        SyntheticCapture capture = SyntheticCapture.WithRounds();
        capture.LiveMemory.AddRange(
            SyntheticCapture.NewHole(SyntheticCapture.Data(40), 8), // of which two pages stay
            SyntheticCapture.NewHole(SyntheticCapture.GoneStart, 1), // gone
            SyntheticCapture.Live(3, SyntheticCapture.Data(42), SyntheticCapture.Bytes(SyntheticCapture.Data(42), 2 * Page)));
        capture.Instant.Rounds.Add(new LiveRound { Round = 3 });
        capture.Memory[2] = SyntheticCapture.Chunk(SyntheticCapture.Data(46), 210 * Page);
        capture.Memory.Insert(2, SyntheticCapture.NewZero(SyntheticCapture.Data(44), 2));

        SnapshotResult result = await CaptureAsync(agent, capture);

        Assert.Contains(new RecordHole(SyntheticCapture.Data(40), SyntheticCapture.Data(42), "unreadable"), result.Record.Holes);
        Assert.Equal((3 + 2) * Page, result.HoleBytes);
        using CoreFile core = CoreFile.Open(File.OpenRead(agent.File("x.core")));
        AssertMemory(core, SyntheticCapture.Data(40), 2, isZero: true);
        AssertMemory(core, SyntheticCapture.Data(42), 2, isZero: false);
        AssertMemory(core, SyntheticCapture.Data(44), 2, isZero: true);
        AssertMemory(core, SyntheticCapture.Data(46), 210, isZero: false);
    }

    [Fact]
    public async Task A_strategy_that_was_given_up_at_the_stop_may_follow_live_rounds()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        SyntheticCapture capture = SyntheticCapture.WithRounds();
        capture.Instant.Strategy = Strategy.Fork;

        SnapshotResult result = await CaptureAsync(agent, capture);

        Assert.Equal(("fork", 2), (result.Record.Strategy, result.Rounds.Count));
    }

    [Fact]
    public async Task Nothing_live_and_a_round_without_memory_are_fine()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        SyntheticCapture capture = SyntheticCapture.WithMemory();
        capture.LiveVmas.Add(new LiveVmas { IsLast = true });
        capture.Instant.Rounds.Add(new LiveRound { Round = 1 });
        capture.Instant.Strategy = Strategy.Precopy;

        SnapshotResult result = await CaptureAsync(agent, capture);

        await using FileStream file = File.OpenRead(agent.File("x.core"));
        Assert.Empty(CoreVerifier.Verify(file).Findings);
        Assert.Equal(0, result.Record.UnreferencedBytes);
    }

    [Fact]
    public async Task Progress_tells_live_rounds_from_the_instant()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithRounds().Messages());
        await using CoreliftClient client = agent.Connect();
        Recorder progress = new();

        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")), progress);

        Assert.Equal([0, 1, 2], progress.Reports.Where(r => r.Phase == SnapshotPhase.LiveRounds).Select(r => r.Round).Distinct());
        Assert.All(progress.Reports.Where(r => r.Phase == SnapshotPhase.Receiving), r => Assert.Equal((0, 2), (r.Round, r.RoundCount)));
        Assert.Contains(progress.Reports, r => r.Phase == SnapshotPhase.Receiving);
    }

    [Fact]
    public async Task A_destination_that_cannot_seek_is_told_to_the_agent_and_refuses_precopy_itself()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        List<bool> asked = [];
        agent.Script.Capture = async (request, writer, _) =>
        {
            asked.Add(request.Options.SinkCannotSeek);
            foreach (CaptureResponse message in SyntheticCapture.WithMemory().Messages())
            {
                await writer.WriteAsync(message);
            }
        };
        await using CoreliftClient client = agent.Connect();
        SnapshotDestination pipe = SnapshotDestination.ToStream(new PipeLike(new MemoryStream()));

        await client.SnapshotAsync(s_request, pipe);
        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")));
        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(
            () => client.SnapshotAsync(s_request with { Strategy = Strategy.Precopy }, pipe));

        Assert.Equal([true, false], asked);
        Assert.Equal(SnapshotFailure.Output, failure.Failure);
        Assert.Contains("cannot seek", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rate_limit_and_quiesce_reach_the_agent()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        CaptureOptions? asked = null;
        agent.Script.Plan = request =>
        {
            asked = request.Options;
            return new PlanResponse { Process = SyntheticCapture.NewProcess(), Plan = new CapturePlan() };
        };
        await using CoreliftClient client = agent.Connect();

        await client.PlanAsync(s_request with { RateLimitBytesPerSecond = 5, Quiesce = true });

        Assert.Equal((5UL, true), (asked!.RateLimitBytesPerSecond, asked.Quiesce));
    }

    private static async Task<SnapshotResult> CaptureAsync(ScriptedAgent agent, SyntheticCapture capture)
    {
        agent.Script.CaptureWith(capture.Messages());
        await using CoreliftClient client = agent.Connect();
        return await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")));
    }

    private static void AssertMemory(CoreFile core, ulong address, int pages, bool isZero)
    {
        byte[] read = new byte[pages * Page];
        Assert.Equal(read.Length, core.Read(address, read));
        Assert.True(read.AsSpan().SequenceEqual(isZero ? new byte[read.Length] : SyntheticCapture.Bytes(address, read.Length)), $"0x{address:x}");
    }

    private sealed class Recorder : IProgress<SnapshotProgress>
    {
        public List<SnapshotProgress> Reports { get; } = [];

        public void Report(SnapshotProgress value) => Reports.Add(value);
    }
}
