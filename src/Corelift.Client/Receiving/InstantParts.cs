using Corelift.Elf;

namespace Corelift.Client.Receiving;

/// <summary>
/// Holds the parts of the instant against each other: chunks, zeros and holes each ascend, and no address is in two of
/// them. That chunks ascend is the caller's to check, as it is in every round.
/// </summary>
internal sealed class InstantParts(uint pageSizeBytes, SnapshotLimits limits)
{
    private readonly PageSet _memory = new();
    private readonly RangeList _zeros = new();
    private readonly RangeList _holes = new();

    internal ulong ZeroBytes => _zeros.TotalBytes;

    internal void AddMemory(ulong start, ulong end)
    {
        if (_zeros.Overlaps(start, end) || _holes.Overlaps(start, end))
        {
            throw Twice("memory", start);
        }

        ulong first = start / pageSizeBytes;
        _memory.Add(first, ((end - 1) / pageSizeBytes) - first + 1);
    }

    internal void AddHole(ulong start, ulong end)
    {
        VerifyOrder("a hole", start, _holes);
        if (IsMemory(start, end) || _zeros.Overlaps(start, end))
        {
            throw Twice("a hole", start);
        }

        _holes.Add(start, end);
    }

    internal void AddZeros(ulong start, ulong end)
    {
        VerifyOrder("zeros", start, _zeros);
        if (IsMemory(start, end) || _holes.Overlaps(start, end))
        {
            throw Twice("zeros", start);
        }

        _zeros.Add(start, end);
        if (_zeros.Ranges.Count > limits.MaxZeroRanges)
        {
            throw SnapshotException.Limit($"more than {limits.MaxZeroRanges} ranges of zeros");
        }
    }

    private static void VerifyOrder(string what, ulong start, RangeList before)
    {
        if (start < before.End)
        {
            throw SnapshotException.Violation($"{what} at 0x{start:x} after 0x{before.End:x}, out of order");
        }
    }

    private static SnapshotException Twice(string what, ulong start) =>
        SnapshotException.Violation($"{what} at 0x{start:x}, of which the agent said otherwise already");

    private bool IsMemory(ulong start, ulong end) => _memory.Overlaps(start / pageSizeBytes, (end - start) / pageSizeBytes);
}
