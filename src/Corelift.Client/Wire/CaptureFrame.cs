using System.Buffers;
using Corelift.V1;

namespace Corelift.Client.Wire;

/// <summary>
/// One message of a capture: memory in a pooled buffer, anything else as generated. Dispose returns the buffer; a frame
/// that is never disposed of is merely left to the garbage collector.
/// </summary>
internal sealed class CaptureFrame : IDisposable
{
    private byte[]? _buffer;

    private CaptureFrame()
    {
    }

    /// <summary>What is wrong with the message itself, or null.</summary>
    internal string? Damage { get; private init; }

    /// <summary>The message, or null for memory.</summary>
    internal CaptureResponse? Message { get; private init; }

    internal bool IsMemory => _buffer is not null || RingOffset is not null;

    internal ulong Address { get; private init; }

    internal uint Round { get; private init; }

    /// <summary>Length of the memory as claimed, before packing. Not checked.</summary>
    internal uint LengthBytes { get; private init; }

    internal Compression Compression { get; private init; }

    internal int PackedBytes { get; private init; }

    /// <summary>Where in the ring the memory lies; null where it is here.</summary>
    internal uint? RingOffset { get; private init; }

    /// <summary>The bytes as they came. Valid until <see cref="Dispose"/>.</summary>
    internal ReadOnlySpan<byte> Packed => _buffer.AsSpan(0, PackedBytes);

    internal static CaptureFrame OfDamage(string what) => new() { Damage = what };

    internal static CaptureFrame OfMessage(CaptureResponse message) => new() { Message = message };

    /// <summary>Copies the data into a buffer of the pool.</summary>
    internal static CaptureFrame OfMemory(ulong address, uint round, uint lengthBytes, Compression compression, ReadOnlySequence<byte> data)
    {
        int packedBytes = checked((int)data.Length);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(packedBytes, 1));
        data.CopyTo(buffer);
        return new CaptureFrame
        {
            _buffer = buffer,
            Address = address,
            Round = round,
            LengthBytes = lengthBytes,
            Compression = compression,
            PackedBytes = packedBytes,
        };
    }

    /// <summary>Memory that lies in a ring. Data that came beside it is ignored.</summary>
    internal static CaptureFrame OfRing(ulong address, uint round, uint lengthBytes, Compression compression, uint ringOffset) => new()
    {
        Address = address,
        Round = round,
        LengthBytes = lengthBytes,
        Compression = compression,
        PackedBytes = unchecked((int)lengthBytes), // checked with the length
        RingOffset = ringOffset,
    };

    public void Dispose()
    {
        if (_buffer is not null)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = null;
        }
    }
}
