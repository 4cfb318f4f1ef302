using System.Buffers.Binary;
using System.IO.Hashing;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;
using K4os.Compression.LZ4;

namespace Corelift.EndToEnd.Tests;

/// <summary>
/// The messages of one Capture call, read by the contract's words alone: their order, bounds, totals and digest.
/// </summary>
public sealed class CaptureStream
{
    /// <summary>Metadata entry that names a ring.</summary>
    public const string RingHeader = "corelift-memory-ring";

    private readonly XxHash3 _digest = new();
    private readonly List<CaptureResponse.PartOneofCase> _order = [];
    private ulong _bytes, _packed, _chunks, _nextAddress, _holeBytes, _zeroBytes, _nextZero;
    private uint _round;
    private RingClient? _ring;

    /// <summary>Bytes that came through a ring.</summary>
    public ulong RingBytes { get; private set; }

    /// <summary>First message.</summary>
    public CaptureStarted Started { get; private set; } = new();

    /// <summary>Second message.</summary>
    public Instant Instant { get; private set; } = new();

    /// <summary>All threads.</summary>
    public List<StoppedThread> Threads { get; } = [];

    /// <summary>VMAs of before the stop; strategy precopy only.</summary>
    public List<CapturedVma> LiveVmas { get; } = [];

    /// <summary>All VMAs.</summary>
    public List<CapturedVma> Vmas { get; } = [];

    /// <summary>The end; absent where the stream broke.</summary>
    public CaptureTrailer? Trailer { get; private set; }

    /// <summary>A request for the target with the least options.</summary>
    public static CaptureRequest Request(LiveProcess target, Strategy strategy, Content content = Content.Default) => new()
    {
        Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime },
        Options = new CaptureOptions { Strategy = strategy, Content = content },
    };

    /// <summary>Reads a whole capture; every rule of the contract that it breaks is a failure.</summary>
    public static async Task<CaptureStream> ReadAsync(
        GrpcChannel channel, CaptureRequest request, RingClient? ring = null, string? ringToken = null, CancellationToken cancellation = default)
    {
        CaptureStream stream = new() { _ring = ring };
        Metadata headers = (ringToken ?? ring?.Token) is { } token ? new Metadata { { RingHeader, token } } : [];
        using AsyncServerStreamingCall<CaptureResponse> call =
            new SnapshotService.SnapshotServiceClient(channel).Capture(request, headers, cancellationToken: cancellation);
        await foreach (CaptureResponse message in call.ResponseStream.ReadAllAsync(cancellation))
        {
            stream.Take(message);
        }

        stream.AssertWhole();
        return stream;
    }

    private void Take(CaptureResponse message)
    {
        Assert.Null(Trailer);
        Assert.InRange(message.CalculateSize(), 1, (1 << 20) + 4096);
        _order.Add(message.PartCase);
        switch (message.PartCase)
        {
            case CaptureResponse.PartOneofCase.Started:
                Started = message.Started;
                break;
            case CaptureResponse.PartOneofCase.LiveVmas:
                LiveVmas.AddRange(message.LiveVmas.Vmas);
                _round = message.LiveVmas.IsLast ? 1u : 0u;
                break;
            case CaptureResponse.PartOneofCase.Instant:
                Instant = message.Instant;
                (_round, _nextAddress) = (0, 0);
                break;
            case CaptureResponse.PartOneofCase.Zero:
                Assert.True(message.Zero.Range.Start >= _nextZero, "zeros ascend");
                _nextZero = message.Zero.Range.End;
                _zeroBytes += message.Zero.Range.End - message.Zero.Range.Start;
                break;
            case CaptureResponse.PartOneofCase.Threads:
                Threads.AddRange(message.Threads.Threads);
                break;
            case CaptureResponse.PartOneofCase.Vmas:
                Vmas.AddRange(message.Vmas.Vmas);
                break;
            case CaptureResponse.PartOneofCase.Memory:
                Take(message.Memory);
                break;
            case CaptureResponse.PartOneofCase.Hole:
                _holeBytes += message.Hole.Range.End - message.Hole.Range.Start;
                Assert.NotEqual(HoleReason.Unspecified, message.Hole.Reason);
                break;
            case CaptureResponse.PartOneofCase.Trailer:
                Trailer = message.Trailer;
                break;
            default:
                Assert.Fail($"unknown part {message.PartCase}");
                break;
        }
    }

    private void Take(MemoryChunk chunk)
    {
        byte[] bytes = chunk.HasRingOffsetBytes ? TakeFromRing(chunk) : Unpack(chunk);
        Assert.Equal((int)chunk.LengthBytes, bytes.Length);
        Assert.InRange(chunk.LengthBytes, 1u, 1u << 20);
        Assert.Equal(0ul, chunk.Address % TraceeMemory.PageSize);
        if (chunk.Round == _round + 1 && _round > 0)
        {
            (_round, _nextAddress) = (chunk.Round, 0);
        }

        Assert.Equal(_round, chunk.Round);
        Assert.True(chunk.Address >= _nextAddress, "chunks of a round ascend and do not overlap");
        _nextAddress = chunk.Address + chunk.LengthBytes;
        Span<byte> head = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(head, chunk.Address);
        BinaryPrimitives.WriteUInt64LittleEndian(head[8..], chunk.LengthBytes);
        _digest.Append(head);
        _digest.Append(bytes);
        _bytes += chunk.LengthBytes;
        _packed += (ulong)(chunk.HasRingOffsetBytes ? bytes.Length : chunk.Data.Length);
        _chunks++;
    }

    private byte[] TakeFromRing(MemoryChunk chunk)
    {
        Assert.NotNull(_ring);
        Assert.Empty(chunk.Data);
        byte[] bytes = _ring.Read(chunk.RingOffsetBytes, chunk.LengthBytes);
        _ring.Free(1);
        RingBytes += chunk.LengthBytes;
        return bytes;
    }

    private static byte[] Unpack(MemoryChunk chunk)
    {
        if (chunk.Compression == Compression.Zstd)
        {
            using ZstdSharp.Decompressor decompressor = new();
            return decompressor.Unwrap(chunk.Data.Span).ToArray();
        }

        if (chunk.Compression == Compression.Lz4)
        {
            byte[] bytes = new byte[chunk.LengthBytes];
            return bytes[..LZ4Codec.Decode(chunk.Data.Span, bytes)];
        }

        return chunk.Data.ToByteArray();
    }

    private void AssertWhole()
    {
        Assert.NotNull(Trailer);
        CaptureResponse.PartOneofCase[] phases = [.. _order.Select(Phase).Where((phase, at) => at == 0 || phase != Phase(_order[at - 1]))];
        CaptureResponse.PartOneofCase[] live = LiveVmas.Count > 0 ? [CaptureResponse.PartOneofCase.LiveVmas, CaptureResponse.PartOneofCase.Memory] : [];
        Assert.Equal(
            [
                CaptureResponse.PartOneofCase.Started, .. live, CaptureResponse.PartOneofCase.Instant, CaptureResponse.PartOneofCase.Threads,
                CaptureResponse.PartOneofCase.Vmas, CaptureResponse.PartOneofCase.Memory, CaptureResponse.PartOneofCase.Trailer,
            ],
            phases);
        Assert.Equal(Threads.Count, (int)Instant.ThreadCount);
        Assert.Equal(Vmas.Count, (int)Instant.VmaCount);
        Assert.Equal(_bytes, Trailer.MemoryBytes);
        Assert.Equal(_chunks, Trailer.ChunkCount);
        Assert.Equal(_packed, Trailer.PackedBytes);
        Assert.Equal(_holeBytes, Trailer.HoleBytes);
        Assert.Equal(_zeroBytes, Trailer.ZeroBytes);
        Assert.Equal(_digest.GetCurrentHashAsUInt64(), Trailer.Digest);
        Assert.All(Vmas.Concat(LiveVmas), AssertCovered);
    }

    private static CaptureResponse.PartOneofCase Phase(CaptureResponse.PartOneofCase part) =>
        part is CaptureResponse.PartOneofCase.Hole or CaptureResponse.PartOneofCase.Zero ? CaptureResponse.PartOneofCase.Memory : part;

    private static void AssertCovered(CapturedVma vma)
    {
        ulong at = vma.Vma.Range.Start;
        foreach (Region region in vma.Regions)
        {
            Assert.Equal(at, region.Range.Start);
            Assert.True((region.Consistency == Consistency.Unspecified) != (region.HoleReason == HoleReason.Unspecified), "bytes, or a reason for none");
            at = region.Range.End;
        }

        Assert.Equal(vma.Vma.Range.End, at);
    }
}
