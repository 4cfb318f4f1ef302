namespace Corelift.Client.Receiving;

/// <summary>The ranges of which bytes were promised, in ascending order; neighbours are one.</summary>
internal sealed class CapturedRanges
{
    private readonly List<(ulong Start, ulong End)> _ranges = [];

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

    /// <summary>Whether every address of a range was promised.</summary>
    internal bool Contains(ulong start, ulong end)
    {
        int low = 0;
        int high = _ranges.Count - 1;
        while (low <= high)
        {
            int middle = low + ((high - low) / 2);
            if (_ranges[middle].End <= start)
            {
                low = middle + 1;
            }
            else if (_ranges[middle].Start > start)
            {
                high = middle - 1;
            }
            else
            {
                return start < end && end <= _ranges[middle].End;
            }
        }

        return false;
    }
}
