using Grpc.Core;

namespace Corelift.Agent.Local;

/// <summary>
/// A capture's end of a ring. Memory is read right into a slot, and chunks are handed over where they lie; what lies elsewhere
/// is copied. For one capture, one thread at a time.
/// </summary>
internal sealed class RingWriter : IDisposable
{
    /// <summary>Shorter chunks go into the message itself: they would waste a slot.</summary>
    internal const int LeastBytes = 32 * 1024;

    private const int None = -1;

    private readonly MemoryRing _ring;
    private int _before = None; // the slot filled before, parts of which may still be to come
    private int _current = None;
    private bool _isGiven; // whether a chunk in the current slot is the client's

    private RingWriter(MemoryRing ring) => _ring = ring;

    /// <summary>Begins to write; null where the ring has gone.</summary>
    internal static RingWriter? TryBegin(MemoryRing ring) => ring.TryHold() ? new RingWriter(ring) : null;

    /// <summary>Where the next bytes may be read to: a slot that is free, waiting for one where there is none.</summary>
    /// <exception cref="RpcException">RING_BROKEN: the client has gone, or has emptied no slot for too long.</exception>
    internal async ValueTask<Memory<byte>> ReserveAsync(CancellationToken cancellationToken)
    {
        if (_current == None || _isGiven)
        {
            (_before, _current, _isGiven) = (_current, await _ring.TakeAsync(cancellationToken), false);
        }

        return _ring.Slot(_current);
    }

    /// <summary>Hands a chunk over, after <see cref="ReserveAsync"/>.</summary>
    /// <returns>Its offset in the ring.</returns>
    /// <exception cref="RpcException">RING_BROKEN: the client has gone.</exception>
    internal uint Give(ReadOnlyMemory<byte> bytes)
    {
        if (_before != None && _ring.Slot(_before).Span.Overlaps(bytes.Span, out int offset))
        {
            _ring.Give(_before);
            return (uint)((_before * MemoryRing.SlotBytes) + offset);
        }

        LeaveBefore();
        Memory<byte> slot = _ring.Slot(_current);
        if (!slot.Span.Overlaps(bytes.Span, out offset))
        {
            bytes.CopyTo(slot);
            offset = 0;
        }

        _isGiven = true;
        _ring.Give(_current);
        return (uint)((_current * MemoryRing.SlotBytes) + offset);
    }

    /// <summary>Nothing more comes.</summary>
    public void Dispose()
    {
        LeaveBefore();
        if (_current != None)
        {
            _ring.Leave(_current);
            _current = None;
        }

        _ring.Dispose();
    }

    private void LeaveBefore()
    {
        if (_before != None)
        {
            _ring.Leave(_before);
            _before = None;
        }
    }
}
