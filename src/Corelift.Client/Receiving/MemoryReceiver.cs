using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Receiving;

/// <summary>Checks, counts and writes the memory of a capture, and holds the sums against the trailer.</summary>
internal sealed class MemoryReceiver(CoreWriter writer, CapturedRanges captured, uint pageSizeBytes, SnapshotLimits limits) : IDisposable
{
    private readonly ChunkUnpacker _unpacker = new();
    private readonly StreamDigest _digest = new();
    private ulong _end; // of the last chunk
    private ulong _holeEnd;

    internal ulong MemoryBytes { get; private set; }

    internal ulong ChunkCount { get; private set; }

    internal ulong PackedBytes { get; private set; }

    internal ulong HoleBytes { get; private set; }

    internal ulong Digest => _digest.Value;

    /// <summary>Holes found while reading, neighbours of one reason merged.</summary>
    internal List<RecordHole> Holes { get; } = [];

    internal void Add(CaptureFrame frame)
    {
        if (frame.Round != 0)
        {
            throw SnapshotException.Violation($"memory of round {frame.Round}: the agent is newer than this client");
        }

        ReadOnlySpan<byte> bytes = _unpacker.Unpack(frame);
        ulong start = frame.Address;
        ulong end = unchecked(start + (ulong)bytes.Length);
        if (end < start || start % pageSizeBytes != 0 || !captured.Contains(start, end))
        {
            throw SnapshotException.Violation($"memory at 0x{start:x}, {bytes.Length} bytes, outside of what is captured");
        }

        if (start < _end)
        {
            throw SnapshotException.Violation($"memory at 0x{start:x} after 0x{_end:x}, out of order");
        }

        MemoryBytes += (ulong)bytes.Length;
        if (MemoryBytes > limits.MaxMemoryBytes)
        {
            throw SnapshotException.Limit($"more than {limits.MaxMemoryBytes} bytes of memory");
        }

        _end = end;
        ChunkCount++;
        PackedBytes += (ulong)frame.PackedBytes;
        _digest.Append(start, bytes);
        writer.WriteMemory(start, bytes);
    }

    internal void Add(Hole hole)
    {
        if (hole.Range is not { } range || range.Start % pageSizeBytes != 0 || range.End % pageSizeBytes != 0
            || !captured.Contains(range.Start, range.End))
        {
            throw SnapshotException.Violation("a hole outside of what is captured");
        }

        if (range.Start < _holeEnd)
        {
            throw SnapshotException.Violation($"a hole at 0x{range.Start:x} after 0x{_holeEnd:x}, out of order");
        }

        _holeEnd = range.End;
        HoleBytes += range.End - range.Start;
        string reason = WireNames.Of(hole.Reason);
        if (Holes.Count > 0 && Holes[^1].End == range.Start && Holes[^1].Reason == reason)
        {
            Holes[^1] = Holes[^1] with { End = range.End };
        }
        else if (Holes.Count >= limits.MaxHoles)
        {
            throw SnapshotException.Limit($"more than {limits.MaxHoles} holes");
        }
        else
        {
            Holes.Add(new RecordHole(range.Start, range.End, reason));
        }
    }

    internal void Verify(CaptureTrailer trailer)
    {
        Compare("bytes of memory", trailer.MemoryBytes, MemoryBytes);
        Compare("chunks", trailer.ChunkCount, ChunkCount);
        Compare("packed bytes", trailer.PackedBytes, PackedBytes);
        Compare("bytes in holes", trailer.HoleBytes, HoleBytes);
        if (!WireTime.IsSane(trailer.Pause))
        {
            throw SnapshotException.Violation("a pause that is negative or longer than a century");
        }

        if (trailer.Digest != Digest)
        {
            throw SnapshotException.Violation($"the digest of the memory is {Digest:x16}, not {trailer.Digest:x16} as the agent says");
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
}
