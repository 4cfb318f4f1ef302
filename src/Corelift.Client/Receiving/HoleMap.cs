using Corelift.Elf;

namespace Corelift.Client.Receiving;

/// <summary>
/// The holes found while reading, as they stand after the last word of each address: disjoint, ascending, neighbours of one
/// reason merged. Cheap where holes come in ascending order, and where there are none.
/// </summary>
internal sealed class HoleMap(int most)
{
    private readonly List<RecordHole> _holes = [];

    internal IReadOnlyList<RecordHole> Holes => _holes;

    /// <summary>Makes a range a hole, whatever it was.</summary>
    /// <exception cref="SnapshotException">There are too many.</exception>
    internal void Set(ulong start, ulong end, string reason)
    {
        Clear(start, end);
        int index = FirstBeyond(start);
        if (index > 0 && _holes[index - 1] is var before && before.End == start && before.Reason == reason)
        {
            _holes[--index] = before with { End = end };
        }
        else
        {
            _holes.Insert(index, new RecordHole(start, end, reason));
        }

        if (index + 1 < _holes.Count && _holes[index + 1] is var next && next.Start == end && next.Reason == reason)
        {
            _holes[index] = _holes[index] with { End = next.End };
            _holes.RemoveAt(index + 1);
        }

        if (_holes.Count > most)
        {
            throw SnapshotException.Limit($"more than {most} holes");
        }
    }

    /// <summary>Makes a range no hole, whatever it was.</summary>
    internal void Clear(ulong start, ulong end)
    {
        int first = FirstBeyond(start);
        int last = first;
        while (last < _holes.Count && _holes[last].Start < end)
        {
            last++;
        }

        if (first == last)
        {
            return;
        }

        RecordHole[] rests =
        [
            .. _holes[first].Start < start ? [_holes[first] with { End = start }] : Array.Empty<RecordHole>(),
            .. _holes[last - 1].End > end ? [_holes[last - 1] with { Start = end }] : Array.Empty<RecordHole>(),
        ];
        _holes.RemoveRange(first, last - first);
        _holes.InsertRange(first, rests);
    }

    /// <summary>Forgets what lies outside of some ranges.</summary>
    internal void Clip(RangeList ranges)
    {
        List<RecordHole> kept = [];
        foreach (RecordHole hole in _holes)
        {
            for (int index = ranges.FirstBeyond(hole.Start);
                index < ranges.Ranges.Count && ranges.Ranges[index].Start < hole.End && kept.Count <= most; index++)
            {
                (ulong start, ulong end) = ranges.Ranges[index];
                kept.Add(hole with { Start = Math.Max(start, hole.Start), End = Math.Min(end, hole.End) });
            }
        }

        _holes.Clear();
        _holes.AddRange(kept);
        if (_holes.Count > most)
        {
            throw SnapshotException.Limit($"more than {most} holes");
        }
    }

    /// <summary>Index of the first hole that ends after an address.</summary>
    private int FirstBeyond(ulong address)
    {
        if (_holes.Count == 0 || _holes[^1].End <= address)
        {
            return _holes.Count;
        }

        int low = 0;
        int high = _holes.Count;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (_holes[middle].End <= address)
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
