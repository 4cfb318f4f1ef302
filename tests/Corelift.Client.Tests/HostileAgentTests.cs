using Corelift.Client.Tests.Scripted;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Corelift.Client.Tests;

/// <summary>Agents that break the contract: a clear failure, and neither a core nor a partial file.</summary>
public sealed class HostileAgentTests
{
    private static readonly SnapshotRequest s_request = new() { Target = new ProcessRef { Pid = SyntheticCapture.Pid } };

    /// <summary>Each takes a good capture and spoils it: name, how, what the failure must say.</summary>
    private static readonly (string Name, Action<SyntheticCapture> Spoil, SnapshotFailure Failure, string Says)[] s_spoiled =
    [
        ("ten million VMAs claimed", c => c.Instant.VmaCount = 10_000_000, SnapshotFailure.LimitExceeded, "10000000 VMAs"),
        ("four billion threads claimed", c => c.Instant.ThreadCount = uint.MaxValue, SnapshotFailure.LimitExceeded, "threads"),
        ("no threads", c => c.Instant.ThreadCount = 0, SnapshotFailure.Violation, "0 threads"),
        ("fewer threads than claimed", c => c.Instant.ThreadCount = 3, SnapshotFailure.Violation, "Threads was due"),
        ("more threads than claimed", c => c.Instant.ThreadCount = 1, SnapshotFailure.Violation, "Vmas was due"),
        ("fewer VMAs than claimed", c => c.Instant.VmaCount = 5, SnapshotFailure.Violation, "Vmas was due"),
        ("more VMAs than claimed", c => c.Instant.VmaCount = 3, SnapshotFailure.Violation, "announced 3 VMAs"),
        ("page size 0", c => c.Started.PageSizeBytes = 0, SnapshotFailure.Violation, "page size"),
        ("page size 3000", c => c.Started.PageSizeBytes = 3000, SnapshotFailure.Violation, "page size"),
        ("no process", c => c.Started.Process = null, SnapshotFailure.Violation, "process"),
        ("no plan", c => c.Started.Plan = null, SnapshotFailure.Violation, "plan"),
        ("no process facts", c => c.Instant.ProcessInfo = null, SnapshotFailure.Violation, "facts"),
        ("another machine", c => c.Started.Process.ElfMachine = 183, SnapshotFailure.LimitExceeded, "183"),
        ("huge auxv", c => c.Instant.Auxv = ByteString.CopyFrom(new byte[100_000]), SnapshotFailure.LimitExceeded, "auxiliary"),
        ("auxv without an end", c => c.Instant.Auxv = ByteString.CopyFrom([6, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0]), SnapshotFailure.Violation, "AT_NULL"),
        ("auxv of half a pair", c => c.Instant.Auxv = ByteString.CopyFrom(new byte[24]), SnapshotFailure.Violation, "AT_NULL"),
        ("negative pause", c => c.Instant.Pause = new Duration { Seconds = -1 }, SnapshotFailure.Violation, "time"),
        ("malformed duration", c => c.Instant.Skew = new Duration { Nanos = int.MaxValue }, SnapshotFailure.Violation, "time"),
        ("time of the stop beyond all calendars", c => c.Instant.StoppedAt.Seconds = long.MaxValue, SnapshotFailure.Violation, "time"),
        ("pid beyond all kernels", c => c.Instant.ProcessInfo.Pid = uint.MaxValue, SnapshotFailure.Violation, "pid"),
        ("the same thread twice", c => c.Threads[1].Tid = c.Threads[0].Tid, SnapshotFailure.Violation, "twice"),
        ("thread 0", c => c.Threads[1].Tid = 0, SnapshotFailure.Violation, "thread 0"),
        ("no general registers", c => c.Threads[1].RegisterSets.RemoveAt(0), SnapshotFailure.Violation, "general registers"),
        ("short general registers", c => c.Threads[1].RegisterSets[0].Data = ByteString.CopyFromUtf8("x"), SnapshotFailure.Violation, "general registers"),
        ("huge register set", c => c.Threads[1].RegisterSets[1].Data = ByteString.CopyFrom(new byte[100_000]), SnapshotFailure.LimitExceeded, "register sets"),
        ("odd siginfo", c => c.Threads[1].Siginfo = ByteString.CopyFrom(new byte[7]), SnapshotFailure.Violation, "siginfo"),
        ("overlapping VMAs", c => Move(c.Vmas[2], SyntheticCapture.DataStart + 4096), SnapshotFailure.Violation, "overlaps"),
        ("VMAs out of order", c => c.Vmas.Reverse(), SnapshotFailure.Violation, "overlaps"),
        ("VMA without a range", c => c.Vmas[1].Vma.Range = null, SnapshotFailure.Violation, "range"),
        ("empty entry", c => c.Vmas[1] = new CapturedVma(), SnapshotFailure.Violation, "range"),
        ("backward VMA", c => c.Vmas[3].Vma.Range.End = 4096, SnapshotFailure.Violation, "backwards"),
        ("VMA not aligned", c => c.Vmas[3].Vma.Range.End++, SnapshotFailure.Violation, "page-aligned"),
        ("regions with a gap", c => c.Vmas[3].Regions[0].Range.Start += 4096, SnapshotFailure.Violation, "follow each other"),
        ("regions that end early", c => c.Vmas[3].Regions[0].Range.End -= 4096, SnapshotFailure.Violation, "end before"),
        ("regions beyond their VMA", c => c.Vmas[3].Regions[0].Range.End += 4096, SnapshotFailure.Violation, "follow each other"),
        ("odd permissions", c => c.Vmas[0].Vma.Permissions = "", SnapshotFailure.Violation, "permissions"),
        ("endless name", c => c.Vmas[0].Vma.Name = new string('x', 100_000), SnapshotFailure.LimitExceeded, "names"),
        ("sum of ranges wrong", c => c.Instant.CapturedRangeBytes--, SnapshotFailure.Violation, "regions of"),
        ("memory outside regions", c => c.Memory[4].Memory.Address = 0x10000, SnapshotFailure.Violation, "out"),
        ("memory at the end of addresses", c => c.Memory[4].Memory.Address = ulong.MaxValue - 4095, SnapshotFailure.Violation, "outside"),
        ("memory beyond its region", c => c.Memory[4].Memory.Address += 4096, SnapshotFailure.Violation, "outside"),
        ("memory of a guard page", c => c.Memory[2] = SyntheticCapture.Chunk(SyntheticCapture.DataStart + (511 * 4096), 8192), SnapshotFailure.Violation, "outside"),
        ("memory not aligned", c => c.Memory[4].Memory.Address -= 1, SnapshotFailure.Violation, "outside"),
        ("memory twice", c => c.Memory.Insert(1, c.Memory[1]), SnapshotFailure.Violation, "out of order"),
        ("memory out of order", c => c.Memory.Reverse(0, 2), SnapshotFailure.Violation, "out of order"),
        ("memory of a later round", c => c.Memory[1].Memory.Round = 1, SnapshotFailure.Violation, "round 1"),
        ("zeros without live rounds", c => c.Memory.Insert(2, SyntheticCapture.NewZero(SyntheticCapture.Data(256), 1)), SnapshotFailure.Violation, "Zero"),
        ("rounds that did not come", c => c.Instant.Rounds.Add(new LiveRound { Round = 1 }), SnapshotFailure.Violation, "no live VMAs"),
        ("strategy precopy without rounds", c => c.Instant.Strategy = Strategy.Precopy, SnapshotFailure.Violation, "no live VMAs"),
        ("a hole where memory came", c => c.Memory[3].Hole.Range = SyntheticCapture.Range(SyntheticCapture.StackStart + 4096, 4096), SnapshotFailure.Violation, "otherwise"),
        ("memory in a ring that nobody named", c => c.Memory[0].Memory.RingOffsetBytes = 0, SnapshotFailure.Violation, "ring"),
        ("memory dropped, but the snapshot whole", c => c.Memory[3].Hole.Reason = HoleReason.Dropped, SnapshotFailure.Violation, "dropped"),
        ("empty memory", c => c.Memory[1].Memory = new MemoryChunk { Address = SyntheticCapture.DataStart }, SnapshotFailure.Violation, "0 bytes"),
        ("length of four billion", c => c.Memory[1].Memory.LengthBytes = uint.MaxValue, SnapshotFailure.Violation, "4294967295 bytes"),
        ("length beyond the data", c => c.Memory[1].Memory.LengthBytes--, SnapshotFailure.Violation, "does not unpack"),
        ("unknown packing", c => c.Memory[1].Memory.Compression = (Compression)77, SnapshotFailure.Violation, "unknown packing"),
        ("LZ4 that is none", c => c.Memory[1].Memory.Compression = Compression.Lz4, SnapshotFailure.Violation, "does not unpack"),
        ("Zstandard that is none", c => c.Memory[1].Memory.Compression = Compression.Zstd, SnapshotFailure.Violation, "does not unpack"),
        ("LZ4 bomb", c => Bomb(c, Compression.Lz4), SnapshotFailure.Violation, "does not unpack"),
        ("Zstandard bomb", c => Bomb(c, Compression.Zstd), SnapshotFailure.Violation, "does not unpack"),
        ("hole outside regions", c => c.Memory[3].Hole.Range = SyntheticCapture.Range(0x10000, 4096), SnapshotFailure.Violation, "hole"),
        ("hole without a range", c => c.Memory[3].Hole.Range = null, SnapshotFailure.Violation, "hole"),
        ("backward hole", c => c.Memory[3].Hole.Range.End = 0, SnapshotFailure.Violation, "hole"),
        ("hole twice", c => c.Memory.Add(c.Memory[3]), SnapshotFailure.Violation, "hole"),
        ("wrong digest", c => c.Trailer = Changed(c, t => t.Digest ^= 1), SnapshotFailure.Violation, "digest"),
        ("changed byte", c => { c.Trailer = c.Sums(); Flip(c.Memory[1].Memory); }, SnapshotFailure.Violation, "digest"),
        ("missing chunk", c => { c.Trailer = c.Sums(); c.Memory.RemoveAt(2); }, SnapshotFailure.Violation, "bytes of memory"),
        ("wrong count of chunks", c => c.Trailer = Changed(c, t => t.ChunkCount++), SnapshotFailure.Violation, "chunks"),
        ("wrong packed bytes", c => c.Trailer = Changed(c, t => t.PackedBytes++), SnapshotFailure.Violation, "packed"),
        ("wrong bytes in holes", c => c.Trailer = Changed(c, t => t.HoleBytes--), SnapshotFailure.Violation, "holes"),
    ];

    public static TheoryData<string> Spoiled => [.. s_spoiled.Select(entry => entry.Name)];

    [Theory, MemberData(nameof(Spoiled))]
    public async Task A_spoiled_capture_is_refused_and_leaves_nothing(string name)
    {
        (_, Action<SyntheticCapture> spoil, SnapshotFailure failure, string says) = s_spoiled.Single(entry => entry.Name == name);
        SyntheticCapture capture = SyntheticCapture.WithMemory();
        spoil(capture);

        await AssertRefusedAsync(agent => agent.CaptureWith(capture.Messages()), failure, says);
    }

    public static TheoryData<int, int> Swaps
    {
        get
        {
            TheoryData<int, int> swaps = [];
            int count = SyntheticCapture.WithMemory().Messages().Count;
            for (int first = 0; first < count; first++)
            {
                swaps.Add(first, -1); // left out
                swaps.Add(first, count - 1 - first);
            }

            return swaps;
        }
    }

    [Theory, MemberData(nameof(Swaps))]
    public async Task Messages_that_are_missing_or_swapped_never_make_a_core(int first, int second)
    {
        List<CaptureResponse> messages = SyntheticCapture.WithMemory().Messages();
        if (second < 0)
        {
            messages.RemoveAt(first);
        }
        else if (first == second)
        {
            messages.Insert(first, messages[first]);
        }
        else
        {
            (messages[first], messages[second]) = (messages[second], messages[first]);
        }

        await AssertRefusedAsync(agent => agent.CaptureWith(messages), null, "nothing was kept");
    }

    [Fact]
    public Task A_stream_without_its_trailer_is_broken() => AssertRefusedAsync(
        agent => agent.CaptureWith(SyntheticCapture.WithMemory().Messages().SkipLast(1)), SnapshotFailure.Broken, "without its trailer");

    [Fact]
    public Task An_empty_stream_is_broken() => AssertRefusedAsync(
        agent => agent.CaptureWith([]), SnapshotFailure.Broken, "without its trailer");

    [Fact]
    public Task An_empty_message_is_refused() => AssertRefusedAsync(
        agent => agent.CaptureWith([new CaptureResponse()]), SnapshotFailure.Violation, "Started was due");

    [Fact]
    public Task Empty_lists_without_end_are_refused() => AssertRefusedAsync(
        agent => agent.CaptureWith(
        [
            .. SyntheticCapture.WithMemory().Messages().Take(2),
            .. Enumerable.Repeat(new CaptureResponse { Threads = new InstantThreads() }, 1000),
        ]),
        SnapshotFailure.Violation,
        "empty list");

    [Fact]
    public Task A_message_after_the_trailer_is_refused() => AssertRefusedAsync(
        agent =>
        {
            List<CaptureResponse> messages = SyntheticCapture.WithMemory().Messages();
            agent.CaptureWith([.. messages, messages[^1]]);
        },
        SnapshotFailure.Violation,
        "after the trailer");

    [Fact]
    public Task A_connection_that_is_cut_in_mid_stream_is_a_broken_transfer() => AssertRefusedAsync(
        agent => agent.Capture = async (_, writer, context) =>
        {
            foreach (CaptureResponse message in SyntheticCapture.WithMemory().Messages().SkipLast(2))
            {
                await writer.WriteAsync(message);
            }

            ScriptedAgent.Cut(context);
        },
        SnapshotFailure.Broken,
        "broke off");

    [Fact]
    public Task A_message_larger_than_any_may_be_is_refused() => AssertRefusedAsync(
        agent => agent.CaptureWith(
        [
            .. SyntheticCapture.WithMemory().Messages().Take(5),
            new CaptureResponse { Memory = new MemoryChunk { Data = ByteString.CopyFrom(new byte[32 << 20]) } },
        ]),
        null,
        "");

    [Fact]
    public async Task Limits_are_the_callers_to_lower()
    {
        SnapshotLimits limits = new() { MaxMemoryBytes = 1 << 20 };

        await AssertRefusedAsync(
            agent => agent.CaptureWith(SyntheticCapture.WithMemory().Messages()), SnapshotFailure.LimitExceeded, "1048576 bytes", limits);
    }

    internal static async Task AssertRefusedAsync(
        Action<AgentScript> script, SnapshotFailure? failure, string says, SnapshotLimits? limits = null)
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        script(agent.Script);
        await using CoreliftClient client = agent.Connect();
        SnapshotRequest request = s_request with { Limits = limits ?? new SnapshotLimits() };

        Exception thrown = await Assert.ThrowsAnyAsync<Exception>(
            () => client.SnapshotAsync(request, SnapshotDestination.ToFile(agent.File("x.core"))));

        if (failure is not null || thrown is not AgentException)
        {
            SnapshotException refused = Assert.IsType<SnapshotException>(thrown);
            Assert.Equal(failure ?? refused.Failure, refused.Failure);
        }

        Assert.Contains(says, thrown.Message, StringComparison.Ordinal);
        Assert.Empty(agent.FilesLeft());
    }

    private static void Move(CapturedVma vma, ulong start)
    {
        vma.Vma.Range = SyntheticCapture.Range(start, 4096);
        vma.Regions[0].Range = vma.Vma.Range.Clone();
    }

    /// <summary>A megabyte packed into a chunk that claims to be a page.</summary>
    private static void Bomb(SyntheticCapture capture, Compression compression) => capture.Memory[0] = new CaptureResponse
    {
        Memory = new MemoryChunk
        {
            Address = SyntheticCapture.CodeStart,
            LengthBytes = 4096,
            Compression = compression,
            Data = ByteString.CopyFrom(SyntheticCapture.Pack(new byte[64 << 20], compression)),
        },
    };

    private static void Flip(MemoryChunk chunk)
    {
        byte[] bytes = chunk.Data.ToByteArray();
        bytes[12345] ^= 1;
        chunk.Data = ByteString.CopyFrom(bytes);
    }

    private static CaptureTrailer Changed(SyntheticCapture capture, Action<CaptureTrailer> change)
    {
        CaptureTrailer trailer = capture.Sums();
        change(trailer);
        return trailer;
    }
}
