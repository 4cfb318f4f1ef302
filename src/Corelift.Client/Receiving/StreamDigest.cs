using System.Buffers.Binary;
using System.IO.Hashing;

namespace Corelift.Client.Receiving;

/// <summary>The digest of a capture's memory as CaptureTrailer.digest has it: XXH3 over address, length and bytes of each chunk.</summary>
internal sealed class StreamDigest
{
    private readonly XxHash3 _hash = new();

    internal ulong Value => _hash.GetCurrentHashAsUInt64();

    internal void Append(ulong address, ReadOnlySpan<byte> bytes)
    {
        Span<byte> head = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(head, address);
        BinaryPrimitives.WriteUInt64LittleEndian(head[8..], (ulong)bytes.Length);
        _hash.Append(head);
        _hash.Append(bytes);
    }
}
