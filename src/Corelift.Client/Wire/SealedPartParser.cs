using System.Buffers;
using Corelift.V1;

namespace Corelift.Client.Wire;

/// <summary>
/// Reads a CaptureResponse that holds a part of a sealed snapshot and nothing else, as every protobuf library writes it.
/// Whatever else it meets it leaves to the generated parser.
/// </summary>
internal static class SealedPartParser
{
    private const byte Tag = (CaptureResponse.SealedFieldNumber << 3) | 2; // length-delimited
    private const int LongestLength = 5; // bytes of the varint

    /// <returns>The frame, or null for anything else than one part in the usual encoding.</returns>
    internal static CaptureFrame? Read(ReadOnlySequence<byte> payload)
    {
        SequenceReader<byte> reader = new(payload);
        if (!reader.TryRead(out byte tag) || tag != Tag)
        {
            return null;
        }

        ulong length = 0;
        for (int i = 0; i < LongestLength && reader.TryRead(out byte next); i++)
        {
            length |= (ulong)(next & 0x7f) << (7 * i);
            if (next < 0x80)
            {
                return length == (ulong)reader.Remaining ? CaptureFrame.OfSealed(reader.UnreadSequence) : null;
            }
        }

        return null;
    }
}
