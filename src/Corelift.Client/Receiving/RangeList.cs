namespace Corelift.Client.Receiving;

/// <summary>Ranges of addresses in ascending order; neighbours are one.</summary>
internal sealed class RangeList
{
    private readonly List<(ulong Start, ulong End)> _ranges = [];

    internal IReadOnlyList<(ulong Start, ulong End)> Ranges => _ranges;

    /// <summary>End of the last range, or 0.</summary>
    internal ulong End => _ranges.Count == 0 ? 0 : _ranges[^1].End;

    /// <summary>Addresses in all ranges.</summary>
    internal ulong TotalBytes { get; private set; }

    /// <summary>Adds a range that does not begin before the end of the last one.</summary>
    internal void Add(ulong start, ulong end)
    {
        TotalBytes += end - start;
        if (_ranges.Count > 0 && _ranges[^1].End == start)
        {
            _ranges[^1] = (_ranges[^1].Start, end);
        }
        else
        {
            _ranges.Add((start, end));
        }
    }

    /// <summary>Whether every address of a range is in one of these.</summary>
    internal bool Contains(ulong start, ulong end) =>
        FirstBeyond(start) is var index && index < _ranges.Count && _ranges[index].Start <= start && start < end && end <= _ranges[index].End;

    /// <summary>Whether any address of a range is in one of these.</summary>
    internal bool Overlaps(ulong start, ulong end) =>
        FirstBeyond(start) is var index && index < _ranges.Count && _ranges[index].Start < end;

    /// <summary>Index of the first range that ends after an address.</summary>
    internal int FirstBeyond(ulong address)
    {
        int low = 0;
        int high = _ranges.Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (_ranges[middle].End <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
