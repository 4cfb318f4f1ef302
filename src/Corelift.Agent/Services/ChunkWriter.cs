using System.Buffers.Binary;
using System.IO.Hashing;
using Corelift.Agent.Local;
using Corelift.Capture.Reading;
using Google.Protobuf;
using K4os.Compression.LZ4;
using ZstdSharp;
using Wire = Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>Makes memory messages of parts: packs them as asked, counts them, and keeps the digest of the trailer.</summary>
internal sealed class ChunkWriter : IDisposable
{
    private const int ZstdLevel = 1;

    private readonly Wire.Compression _compression;
    private readonly XxHash3 _digest = new();
    private readonly Compressor? _zstd;
    private byte[] _packed = [];

    internal ChunkWriter(Wire.Compression compression)
    {
        _compression = compression;
        _zstd = compression == Wire.Compression.Zstd ? new Compressor(ZstdLevel) : null;
    }

    internal ulong MemoryBytes { get; private set; }

    internal ulong PackedBytes { get; private set; }

    internal ulong ChunkCount { get; private set; }

    internal ulong HoleBytes { get; private set; }

    internal ulong ZeroBytes { get; private set; }

    internal ulong DigestValue => _digest.GetCurrentHashAsUInt64();

    /// <summary>A hole as a message.</summary>
    internal Wire.Hole ToHole(in MemoryPart part)
    {
        HoleBytes += part.HoleBytes;
        return new Wire.Hole { Range = WireMapping.ToRange(part.Address, part.Address + part.HoleBytes), Reason = part.Hole.ToWire() };
    }

    /// <summary>Zeros that replace what a live round said, as a message.</summary>
    internal Wire.ZeroRange ToZero(in MemoryPart part)
    {
        ZeroBytes += part.HoleBytes;
        return new Wire.ZeroRange { Range = WireMapping.ToRange(part.Address, part.Address + part.HoleBytes) };
    }

    /// <summary>
    /// Bytes as a message. It wraps the part's buffer, or ours, and must be serialised before the next part is read; gRPC does
    /// that before its write returns.
    /// </summary>
    internal Wire.MemoryChunk ToChunk(in MemoryPart part, uint round)
    {
        Digest(part);
        ReadOnlyMemory<byte> packed = Pack(part.Bytes, out Wire.Compression compression);
        return Count(part, round, compression, packed.Length, UnsafeByteOperations.UnsafeWrap(packed));
    }

    /// <summary>Bytes as a message that says where in the ring they lie.</summary>
    /// <exception cref="Grpc.Core.RpcException">RING_BROKEN: the client has gone.</exception>
    internal Wire.MemoryChunk ToRing(in MemoryPart part, uint round, RingWriter ring)
    {
        Digest(part);
        Wire.MemoryChunk chunk = Count(part, round, Wire.Compression.None, part.Bytes.Length, ByteString.Empty);
        chunk.RingOffsetBytes = ring.Give(part.Bytes);
        return chunk;
    }

    public void Dispose() => _zstd?.Dispose();

    private void Digest(in MemoryPart part)
    {
        Span<byte> header = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(header, part.Address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], (ulong)part.Bytes.Length);
        _digest.Append(header);
        _digest.Append(part.Bytes.Span);
    }

    private Wire.MemoryChunk Count(in MemoryPart part, uint round, Wire.Compression compression, int packedBytes, ByteString data)
    {
        ChunkCount++;
        MemoryBytes += (ulong)part.Bytes.Length;
        PackedBytes += (ulong)packedBytes;
        return new Wire.MemoryChunk
        {
            Address = part.Address,
            Round = round,
            LengthBytes = (uint)part.Bytes.Length,
            Compression = compression,
            Data = data,
        };
    }

    /// <summary>Packs where it pays: a chunk that does not shrink goes as it is.</summary>
    private ReadOnlyMemory<byte> Pack(ReadOnlyMemory<byte> bytes, out Wire.Compression compression)
    {
        compression = _compression;
        int length = -1;
        if (_compression == Wire.Compression.Lz4)
        {
            Reserve(LZ4Codec.MaximumOutputSize(bytes.Length));
            length = LZ4Codec.Encode(bytes.Span, _packed, LZ4Level.L00_FAST);
        }
        else if (_zstd is not null)
        {
            Reserve(Compressor.GetCompressBound(bytes.Length));
            length = _zstd.Wrap(bytes.Span, _packed);
        }

        if (length > 0 && length < bytes.Length)
        {
            return _packed.AsMemory(0, length);
        }

        compression = Wire.Compression.None;
        return bytes;
    }

    private void Reserve(int length)
    {
        if (_packed.Length < length)
        {
            _packed = GC.AllocateUninitializedArray<byte>(length);
        }
    }
}
