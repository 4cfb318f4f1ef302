using System.Buffers;
using Corelift.V1;

namespace Corelift.Client.Wire;

/// <summary>
/// Reads a CaptureResponse that holds one MemoryChunk and nothing else, as every protobuf library writes it. Whatever
/// else it meets it leaves to the generated parser.
/// </summary>
internal static class MemoryChunkParser
{
    private const uint MemoryTag = (CaptureResponse.MemoryFieldNumber << 3) | LengthDelimited;
    private const uint AddressTag = MemoryChunk.AddressFieldNumber << 3;
    private const uint RoundTag = MemoryChunk.RoundFieldNumber << 3;
    private const uint LengthTag = MemoryChunk.LengthBytesFieldNumber << 3;
    private const uint CompressionTag = MemoryChunk.CompressionFieldNumber << 3;
    private const uint DataTag = (MemoryChunk.DataFieldNumber << 3) | LengthDelimited;
    private const uint RingTag = MemoryChunk.RingOffsetBytesFieldNumber << 3;
    private const uint LengthDelimited = 2;
    private const int LongestVarint = 10;

    /// <returns>The frame, or null for anything else than one chunk in the usual encoding.</returns>
    internal static CaptureFrame? Read(ReadOnlySequence<byte> payload)
    {
        SequenceReader<byte> reader = new(payload);
        if (!TryReadVarint(ref reader, out ulong tag) || tag != MemoryTag
            || !TryReadVarint(ref reader, out ulong length) || length != (ulong)reader.Remaining)
        {
            return null;
        }

        ulong address = 0;
        ulong round = 0;
        ulong lengthBytes = 0;
        ulong compression = 0;
        ulong? ringOffset = null;
        ReadOnlySequence<byte> data = default;
        while (!reader.End)
        {
            if (!TryReadVarint(ref reader, out tag) || !TryReadVarint(ref reader, out ulong value))
            {
                return null;
            }

            switch (tag)
            {
                case AddressTag:
                    address = value;
                    break;
                case RoundTag:
                    round = value;
                    break;
                case LengthTag:
                    lengthBytes = value;
                    break;
                case CompressionTag:
                    compression = value;
                    break;
                case RingTag:
                    ringOffset = value;
                    break;
                case DataTag when value <= (ulong)reader.Remaining:
                    data = reader.UnreadSequence.Slice(0, (long)value);
                    reader.Advance((long)value);
                    break;
                default:
                    return null;
            }
        }

        if (ringOffset is { } offset)
        {
            return CaptureFrame.OfRing(
                address, unchecked((uint)round), unchecked((uint)lengthBytes), (Compression)unchecked((int)compression), unchecked((uint)offset));
        }

        return CaptureFrame.OfMemory(
            address, unchecked((uint)round), unchecked((uint)lengthBytes), (Compression)unchecked((int)compression), data);
    }

    private static bool TryReadVarint(ref SequenceReader<byte> reader, out ulong value)
    {
        value = 0;
        for (int index = 0; index < LongestVarint && reader.TryRead(out byte next); index++)
        {
            value |= unchecked((ulong)(next & 0x7F) << (7 * index));
            if (next < 0x80)
            {
                return true;
            }
        }

        return false;
    }
}
