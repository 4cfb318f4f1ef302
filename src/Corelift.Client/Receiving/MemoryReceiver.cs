using Corelift.Client.Local;
using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Receiving;

/// <summary>
/// Checks, counts and writes the memory of a capture, of live rounds first where there are any, and holds the sums against
/// the trailer.
/// </summary>
internal sealed class MemoryReceiver : IDisposable
{
    private readonly CoreWriter _writer;
    private readonly uint _pageSizeBytes;
    private readonly SnapshotLimits _limits;
    private readonly ChunkUnpacker _unpacker = new();
    private readonly StreamDigest _digest = new();
    private readonly HoleMap _holes;
    private readonly bool _hadLive;
    private readonly InstantParts _instant;
    private readonly MemoryRing? _ring;
    private RangeList _captured;
    private bool _isLive;
    private ulong _end; // of the last chunk of this round
    private int _holeCount; // of this round

    /// <summary>Takes memory of live ranges until <see cref="BeginInstant"/>, or of the instant at once.</summary>
    internal MemoryReceiver(CoreWriter writer, RangeList captured, uint pageSizeBytes, SnapshotLimits limits, bool isLive, MemoryRing? ring = null)
    {
        _writer = writer;
        _captured = captured;
        _pageSizeBytes = pageSizeBytes;
        _limits = limits;
        _ring = ring;
        _isLive = _hadLive = isLive;
        _holes = new HoleMap(limits.MaxHoles);
        _instant = new InstantParts(pageSizeBytes, limits);
    }

    internal ulong MemoryBytes { get; private set; }

    internal ulong ChunkCount { get; private set; }

    internal ulong PackedBytes { get; private set; }

    /// <summary>The live round that comes now, from 1; 0 before the first, and for the instant.</summary>
    internal uint Round { get; private set; }

    /// <summary>The last live round of which memory came; 0 if none.</summary>
    internal uint LastRound { get; private set; }

    /// <summary>Bytes of the chunks of the round that comes now.</summary>
    internal ulong RoundBytes { get; private set; }

    internal ulong Digest => _digest.Value;

    /// <summary>Holes of the snapshot that were found while reading.</summary>
    internal IReadOnlyList<RecordHole> Holes => _holes.Holes;

    internal int HoleCount => _holes.Holes.Count;

    /// <summary>Bytes of all hole messages.</summary>
    private ulong HoleMessageBytes { get; set; }

    /// <summary>From now on memory is of the instant.</summary>
    internal void EndRounds()
    {
        _isLive = false;
        BeginRound(0);
    }

    /// <summary>Says what the instant captures. What came of other addresses is void.</summary>
    internal void BeginInstant(RangeList captured)
    {
        _captured = captured;
        _holes.Clip(captured);
    }

    internal void Add(CaptureFrame frame)
    {
        VerifyRound(frame.Round);
        ReadOnlySpan<byte> bytes = _unpacker.Unpack(frame, _ring);
        ulong start = frame.Address;
        ulong end = unchecked(start + (ulong)bytes.Length);
        if (end < start || start % _pageSizeBytes != 0 || !_captured.Contains(start, end))
        {
            throw SnapshotException.Violation($"memory at 0x{start:x}, {bytes.Length} bytes, outside of what is captured");
        }

        if (start < _end)
        {
            throw SnapshotException.Violation($"memory at 0x{start:x} after 0x{_end:x}, out of order");
        }

        if (!_isLive)
        {
            _instant.AddMemory(start, end);
        }

        MemoryBytes += (ulong)bytes.Length;
        RoundBytes += (ulong)bytes.Length;
        if (MemoryBytes > _limits.MaxMemoryBytes)
        {
            throw SnapshotException.Limit($"more than {_limits.MaxMemoryBytes} bytes of memory");
        }

        _end = end;
        ChunkCount++;
        PackedBytes += (ulong)frame.PackedBytes;
        _digest.Append(start, bytes);
        _holes.Clear(start, end);
        _writer.WriteMemory(start, bytes);
        if (frame.RingOffset is not null)
        {
            _ring!.Free();
        }
    }

    internal void Add(Hole hole)
    {
        AddressRange range = Verify(hole.Range, "a hole");
        if (!_isLive)
        {
            _instant.AddHole(range.Start, range.End);
        }

        if (++_holeCount > _limits.MaxHoles && _isLive)
        {
            throw SnapshotException.Limit($"more than {_limits.MaxHoles} holes in one round");
        }

        HoleMessageBytes += range.End - range.Start;
        if (HoleMessageBytes > long.MaxValue)
        {
            throw SnapshotException.Limit($"holes of {HoleMessageBytes} bytes");
        }

        _holes.Set(range.Start, range.End, WireNames.Of(hole.Reason));
        Void(range);
    }

    internal void Add(ZeroRange zero)
    {
        AddressRange range = Verify(zero.Range, "a range of zeros");
        _instant.AddZeros(range.Start, range.End);
        _holes.Clear(range.Start, range.End);
        Void(range);
    }

    internal void Verify(CaptureTrailer trailer)
    {
        Compare("bytes of memory", trailer.MemoryBytes, MemoryBytes);
        Compare("chunks", trailer.ChunkCount, ChunkCount);
        Compare("packed bytes", trailer.PackedBytes, PackedBytes);
        Compare("bytes in holes", trailer.HoleBytes, HoleMessageBytes);
        Compare("bytes of zeros", trailer.ZeroBytes, _instant.ZeroBytes);
        if (!WireTime.IsSane(trailer.Pause))
        {
            throw SnapshotException.Violation("a pause that is negative or longer than a century");
        }

        if (trailer.Digest != Digest)
        {
            throw SnapshotException.Violation($"the digest of the memory is {Digest:x16}, not {trailer.Digest:x16} as the agent says");
        }

        if (trailer.PartialBecause.Length == 0 && Holes.Any(hole => hole.Reason == WireNames.Of(HoleReason.Dropped)))
        {
            throw SnapshotException.Violation("memory was dropped, but the trailer calls the snapshot whole");
        }
    }

    public void Dispose() => _unpacker.Dispose();

    private static void Compare(string what, ulong claimed, ulong counted)
    {
        if (claimed != counted)
        {
            throw SnapshotException.Violation($"{counted} {what} came, not {claimed} as the agent says");
        }
    }

    private void VerifyRound(uint round)
    {
        if (!_isLive)
        {
            if (round != 0)
            {
                throw SnapshotException.Violation($"memory of round {round} among that of the instant");
            }

            return;
        }

        if (round == 0 || round < Round)
        {
            throw SnapshotException.Violation($"memory of round {round} in round {Round}, before the instant");
        }

        if (round > _limits.MaxRounds)
        {
            throw SnapshotException.Limit($"more than {_limits.MaxRounds} rounds");
        }

        if (round != Round)
        {
            BeginRound(round);
            LastRound = round;
        }
    }

    private void BeginRound(uint round)
    {
        Round = round;
        RoundBytes = 0;
        _end = 0;
        _holeCount = 0;
    }

    private AddressRange Verify(AddressRange? range, string what)
    {
        if (range is null || range.Start % _pageSizeBytes != 0 || range.End % _pageSizeBytes != 0
            || !_captured.Contains(range.Start, range.End))
        {
            throw SnapshotException.Violation($"{what} outside of what is captured");
        }

        return range;
    }

    /// <summary>What a live round wrote there is no more; without live rounds nothing can be there.</summary>
    private void Void(AddressRange range)
    {
        if (_hadLive)
        {
            _writer.WriteZeros(range.Start, range.End);
        }
    }
}
