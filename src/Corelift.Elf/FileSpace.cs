namespace Corelift.Elf;

/// <summary>A run of addresses whose bytes follow each other in the file.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">First address after it.</param>
/// <param name="OffsetBytes">Where they begin, counted from the first byte of memory in the file.</param>
internal readonly record struct Extent(ulong Start, ulong End, long OffsetBytes)
{
    internal ulong SizeBytes => End - Start;
}

/// <summary>
/// Which addresses have room in the file, and where. Addresses ascend from one extent to the next; offsets do so only
/// where no room was appended later.
/// </summary>
internal sealed class FileSpace
{
    private const long LargestFileBytes = long.MaxValue / 2; // far beyond any file system; keeps sums from overflowing

    private readonly List<Extent> _extents = [];

    /// <summary>Room taken, that of addresses which are gone included.</summary>
    internal long SizeBytes { get; private set; }

    internal IReadOnlyList<Extent> Extents => _extents;

    /// <summary>Gives each range room behind the one before. The ranges ascend and do not overlap.</summary>
    /// <exception cref="CoreFormatException">They do not fit a file.</exception>
    internal static FileSpace InOrder(IEnumerable<(ulong Start, ulong End)> ranges)
    {
        FileSpace space = new();
        foreach ((ulong start, ulong end) in ranges)
        {
            space.Append(start, end);
        }

        return space;
    }

    /// <summary>
    /// Room for other ranges: what has room keeps it, what has none gets it behind everything. Room of addresses that are
    /// in no range any more stays taken.
    /// </summary>
    /// <exception cref="CoreFormatException">They do not fit a file.</exception>
    internal FileSpace Rearrange(IEnumerable<(ulong Start, ulong End)> ranges)
    {
        FileSpace next = new() { SizeBytes = SizeBytes };
        int index = 0;
        foreach ((ulong start, ulong end) in ranges)
        {
            ulong at = start;
            while (at < end)
            {
                while (index < _extents.Count && _extents[index].End <= at)
                {
                    index++;
                }

                bool isOld = index < _extents.Count && _extents[index].Start <= at;
                ulong limit = index >= _extents.Count ? end : isOld ? _extents[index].End : _extents[index].Start;
                ulong stop = Math.Min(end, limit);
                if (isOld)
                {
                    next.Keep(at, stop, _extents[index].OffsetBytes + (long)(at - _extents[index].Start));
                }
                else
                {
                    next.Append(at, stop);
                }

                at = stop;
            }
        }

        return next;
    }

    /// <summary>Finds the extent that holds an address.</summary>
    internal Extent? Find(ulong address)
    {
        int low = 0;
        int high = _extents.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (address < _extents[middle].Start)
            {
                high = middle - 1;
            }
            else if (address >= _extents[middle].End)
            {
                low = middle + 1;
            }
            else
            {
                return _extents[middle];
            }
        }

        return null;
    }

    /// <summary>Cuts a range into runs that follow each other in the file.</summary>
    /// <returns>The runs, or nothing where part of the range has no room.</returns>
    internal IReadOnlyList<Extent> Cut(ulong start, ulong sizeBytes)
    {
        List<Extent> runs = [];
        ulong left = sizeBytes;
        for (ulong at = start; left > 0;)
        {
            if (Find(at) is not { } extent)
            {
                return [];
            }

            ulong length = Math.Min(left, extent.End - at);
            runs.Add(new Extent(at, at + length, extent.OffsetBytes + (long)(at - extent.Start)));
            at += length;
            left -= length;
        }

        return runs;
    }

    private void Append(ulong start, ulong end)
    {
        if (end - start > (ulong)(LargestFileBytes - SizeBytes))
        {
            throw new CoreFormatException($"memory up to 0x{end:x} does not fit a file");
        }

        Keep(start, end, SizeBytes);
        SizeBytes += (long)(end - start);
    }

    private void Keep(ulong start, ulong end, long offsetBytes)
    {
        if (_extents.Count > 0 && _extents[^1] is var last && last.End == start
            && last.OffsetBytes + (long)last.SizeBytes == offsetBytes)
        {
            _extents[^1] = last with { End = end };
        }
        else
        {
            _extents.Add(new Extent(start, end, offsetBytes));
        }
    }
}
