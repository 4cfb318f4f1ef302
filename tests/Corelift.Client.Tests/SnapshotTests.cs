using Corelift.Client.Tests.Scripted;
using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Tests;

/// <summary>A well-behaved agent: the core that comes of it is read back.</summary>
public sealed class SnapshotTests
{
    private static readonly SnapshotRequest s_request = new() { Target = new ProcessRef { Pid = SyntheticCapture.Pid } };

    [Theory]
    [InlineData(Compression.None)]
    [InlineData(Compression.Lz4)]
    [InlineData(Compression.Zstd)]
    public async Task A_capture_becomes_a_core_that_holds_every_byte(Compression compression)
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        CaptureRequest? asked = null;
        List<CaptureResponse> messages = SyntheticCapture.WithMemory(compression).Messages();
        agent.Script.CaptureWith(messages);
        Func<CaptureRequest, Grpc.Core.IServerStreamWriter<CaptureResponse>, Grpc.Core.ServerCallContext, Task> answer = agent.Script.Capture;
        agent.Script.Capture = (request, writer, context) =>
        {
            asked = request;
            return answer(request, writer, context);
        };
        await using CoreliftClient client = agent.Connect();

        SnapshotResult result = await client.SnapshotAsync(
            s_request with { Compression = compression, StopBudget = TimeSpan.FromSeconds(1) }, SnapshotDestination.ToFile(agent.File("x.core")));

        Assert.Equal(["x.core"], agent.FilesLeft());
        Assert.Equal((compression, TimeSpan.FromSeconds(1)), (asked!.Options.Compression, asked.Options.StopBudget.ToTimeSpan()));
        using FileStream file = File.OpenRead(agent.File("x.core"));
        AssertCore(file, result);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(agent.File("x.core")));
    }

    [Fact]
    public async Task The_result_says_what_the_agent_said()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await using CoreliftClient client = agent.Connect();

        SnapshotResult result = await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")));

        Assert.Equal(agent.File("x.core"), result.Path);
        Assert.Equal((2, 4, 3), (result.ThreadCount, result.VmaCount, result.RegionCount));
        Assert.Equal(TimeSpan.FromMilliseconds(21.4), result.Pause);
        Assert.Equal(TimeSpan.FromMicroseconds(310), result.Skew);
        Assert.Equal((2 + 256 + 212 + 3) * 4096, result.CapturedBytes);
        Assert.Equal(4096, result.HoleBytes);
        Assert.Equal(["a warning of the plan", "a warning of the trailer"], result.Warnings);
        Assert.Equal(
            ("fork", "default", "c-1", "2023-11-14T22:13:20.123456789Z"),
            (result.Record.Strategy, result.Record.Content, result.Record.CaptureId, result.Record.StoppedAt));
        Assert.Equal([new RecordInconsistency(0x400000, 0x402000, "file", "pages of the mapped file are as the file was when it was read")], result.Record.NotOfTheInstant);
        Assert.Contains(new RecordHole(SyntheticCapture.StackStart, SyntheticCapture.StackStart + 4096, "unreadable"), result.Record.Holes);
    }

    [Fact]
    public async Task A_pause_that_is_known_only_at_the_end_comes_with_the_trailer()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        SyntheticCapture capture = SyntheticCapture.WithMemory();
        capture.Instant.Pause = null;
        capture.Trailer = capture.Sums();
        capture.Trailer.Pause = new Google.Protobuf.WellKnownTypes.Duration { Nanos = 900_000_000 };
        agent.Script.CaptureWith(capture.Messages());
        await using CoreliftClient client = agent.Connect();

        SnapshotResult result = await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")));

        Assert.Equal(TimeSpan.FromMilliseconds(900), result.Pause);
        Assert.Equal(900_000_000, result.Record.PauseNs);
    }

    [Fact]
    public async Task A_pipe_gets_the_same_core_as_a_file()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await using CoreliftClient client = agent.Connect();
        using MemoryStream bytes = new();
        using PipeLike pipe = new(bytes);

        SnapshotResult result = await client.SnapshotAsync(s_request, SnapshotDestination.ToStream(pipe));

        Assert.Null(result.Path);
        AssertCore(bytes, result);
        Assert.Empty(agent.FilesLeft());
    }

    [Fact]
    public async Task A_lease_can_be_captured_and_has_no_pause()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        SyntheticCapture capture = SyntheticCapture.WithMemory();
        capture.Instant.Pause = null;
        agent.Script.Capture = async (request, writer, _) =>
        {
            Assert.Equal(("lease-1", null), (request.LeaseId, request.Ref));
            foreach (CaptureResponse message in capture.Messages())
            {
                await writer.WriteAsync(message);
            }
        };
        await using CoreliftClient client = agent.Connect();

        SnapshotResult result = await client.SnapshotAsync(
            new SnapshotRequest { LeaseId = "lease-1" }, SnapshotDestination.ToFile(agent.File("x.core")));

        Assert.Null(result.Pause);
    }

    [Fact]
    public async Task Progress_is_told_up_to_the_end()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await using CoreliftClient client = agent.Connect();
        Recorder progress = new();

        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")), progress);

        Assert.Equal(SnapshotPhase.Planning, progress.Reports[0].Phase);
        Assert.Equal(SnapshotPhase.Complete, progress.Reports[^1].Phase);
        Assert.Equal((2 + 256 + 212 + 3) * 4096, progress.Reports[^1].ReceivedBytes);
    }

    [Fact]
    public async Task A_request_names_a_target_or_a_lease_but_not_both()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        await using CoreliftClient client = agent.Connect();
        SnapshotDestination destination = SnapshotDestination.ToFile(agent.File("x.core"));

        await Assert.ThrowsAsync<ArgumentException>(() => client.SnapshotAsync(new SnapshotRequest(), destination));
        await Assert.ThrowsAsync<ArgumentException>(() => client.SnapshotAsync(s_request with { LeaseId = "x" }, destination));
    }

    private static void AssertCore(Stream stream, SnapshotResult result)
    {
        CoreVerification verification = CoreVerifier.Verify(stream);
        Assert.True(verification.IsSound, string.Join('\n', verification.Findings));
        Assert.Equal(result.Digest, verification.Record!.Totals!.Digest);
        Assert.Equal(result.FileLengthBytes, stream.Length);
        using CoreFile core = CoreFile.Open(stream, leaveOpen: true);
        Assert.Equal([(int)SyntheticCapture.Pid, (int)SyntheticCapture.Pid + 1], core.ReadThreads().Select(thread => thread.Tid));
        AssertMemory(core, SyntheticCapture.CodeStart, 2 * 4096, isZero: false);
        AssertMemory(core, SyntheticCapture.DataStart, 256 * 4096, isZero: false);
        AssertMemory(core, SyntheticCapture.DataStart + (256 * 4096), 44 * 4096, isZero: true);
        AssertMemory(core, SyntheticCapture.DataStart + (300 * 4096), 212 * 4096, isZero: false);
        AssertMemory(core, SyntheticCapture.StackStart, 4096, isZero: true);
        AssertMemory(core, SyntheticCapture.StackStart + 4096, 3 * 4096, isZero: false);
    }

    private static void AssertMemory(CoreFile core, ulong address, int length, bool isZero)
    {
        byte[] read = new byte[length];
        Assert.Equal(length, core.Read(address, read));
        Assert.True(read.AsSpan().SequenceEqual(isZero ? new byte[length] : SyntheticCapture.Bytes(address, length)));
    }

    private sealed class Recorder : IProgress<SnapshotProgress>
    {
        public List<SnapshotProgress> Reports { get; } = [];

        public void Report(SnapshotProgress value) => Reports.Add(value);
    }
}
