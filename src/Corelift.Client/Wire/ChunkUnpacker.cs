using System.Buffers;
using Corelift.Client.Local;
using Corelift.V1;
using K4os.Compression.LZ4;
using ZstdSharp;

namespace Corelift.Client.Wire;

/// <summary>Unpacks chunks into one buffer of its own, which is all the room that a packed bomb gets.</summary>
internal sealed class ChunkUnpacker : IDisposable
{
    /// <summary>Longest chunk, before packing (common.proto).</summary>
    internal const int LargestChunkBytes = 1024 * 1024;

    private byte[]? _buffer;
    private Decompressor? _zstd;

    /// <summary>Unpacks a chunk.</summary>
    /// <returns>Exactly the claimed length of bytes; valid until the next call, or until the frame is disposed of.</returns>
    /// <exception cref="SnapshotException">The chunk's lengths or its packing are wrong.</exception>
    /// <param name="frame">The chunk.</param>
    /// <param name="ring">The ring that chunks may lie in, or null.</param>
    internal ReadOnlySpan<byte> Unpack(CaptureFrame frame, MemoryRing? ring)
    {
        if (frame.LengthBytes is 0 or > LargestChunkBytes)
        {
            throw SnapshotException.Violation($"a chunk at 0x{frame.Address:x} of {frame.LengthBytes} bytes");
        }

        if (frame.RingOffset is { } offset)
        {
            return ring is not null && frame.Compression is (Compression.Unspecified or Compression.None)
                ? ring.Slice(offset, frame.LengthBytes)
                : throw SnapshotException.Violation("a chunk that lies in a ring, packed, or though no ring was named");
        }

        int length = (int)frame.LengthBytes;
        int unpacked = frame.Compression switch
        {
            Compression.Unspecified or Compression.None => frame.PackedBytes,
            Compression.Lz4 => LZ4Codec.Decode(frame.Packed, Room(length)),
            Compression.Zstd => UnpackZstd(frame.Packed, Room(length)),
            _ => throw SnapshotException.Violation($"a chunk at 0x{frame.Address:x} in the unknown packing {(int)frame.Compression}"),
        };
        if (unpacked != length)
        {
            throw SnapshotException.Violation(
                $"a chunk at 0x{frame.Address:x} that does not unpack ({frame.Compression}) to the {length} bytes it claims");
        }

        return frame.Compression is Compression.Lz4 or Compression.Zstd ? _buffer.AsSpan(0, length) : frame.Packed;
    }

    public void Dispose()
    {
        _zstd?.Dispose();
        if (_buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = null;
        }
    }

    private Span<byte> Room(int length) =>
        (_buffer ??= ArrayPool<byte>.Shared.Rent(LargestChunkBytes)).AsSpan(0, length);

    private int UnpackZstd(ReadOnlySpan<byte> packed, Span<byte> room)
    {
        _zstd ??= new Decompressor();
        try
        {
            return _zstd.TryUnwrap(packed, room, out int written) ? written : -1;
        }
        catch (ZstdException)
        {
            return -1;
        }
    }
}
