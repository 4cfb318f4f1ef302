using System.Numerics;

namespace Corelift.Elf;

/// <summary>
/// A set of page numbers that takes room by what was put in, not by how far apart it lies: 64 bytes for each 512 pages
/// of which one is in the set. Not safe for several threads at once.
/// </summary>
public sealed class PageSet
{
    private const int PagesPerWord = 64;
    private const int WordsPerBlock = 8;
    private const ulong PagesPerBlock = PagesPerWord * WordsPerBlock;

    private readonly Dictionary<ulong, ulong[]> _blocks = [];

    /// <summary>Puts in <paramref name="count"/> pages from <paramref name="first"/> on.</summary>
    public void Add(ulong first, ulong count)
    {
        foreach ((ulong block, int from, int to) in Parts(first, count))
        {
            if (!_blocks.TryGetValue(block, out ulong[]? words))
            {
                _blocks[block] = words = new ulong[WordsPerBlock];
            }

            for (int word = from / PagesPerWord; word <= (to - 1) / PagesPerWord; word++)
            {
                words[word] |= Mask(word, from, to);
            }
        }
    }

    /// <summary>Takes out <paramref name="count"/> pages from <paramref name="first"/> on.</summary>
    public void Remove(ulong first, ulong count)
    {
        foreach (ulong block in Existing(first, count))
        {
            (int from, int to) = Within(block, first, count);
            ulong[] words = _blocks[block];
            for (int word = from / PagesPerWord; word <= (to - 1) / PagesPerWord; word++)
            {
                words[word] &= ~Mask(word, from, to);
            }

            if (!words.AsSpan().ContainsAnyExcept(0UL))
            {
                _blocks.Remove(block);
            }
        }
    }

    /// <summary>Whether a page is in the set.</summary>
    public bool Contains(ulong page) =>
        _blocks.TryGetValue(page / PagesPerBlock, out ulong[]? words)
        && (words[page % PagesPerBlock / PagesPerWord] >> (int)(page % PagesPerWord) & 1) != 0;

    /// <summary>How many pages of a range are in the set.</summary>
    public ulong Count(ulong first, ulong count)
    {
        ulong sum = 0;
        foreach (ulong block in Existing(first, count))
        {
            (int from, int to) = Within(block, first, count);
            for (int word = from / PagesPerWord; word <= (to - 1) / PagesPerWord; word++)
            {
                sum += (ulong)BitOperations.PopCount(_blocks[block][word] & Mask(word, from, to));
            }
        }

        return sum;
    }

    /// <summary>Whether any page of a range is in the set.</summary>
    public bool Overlaps(ulong first, ulong count) => Count(first, count) > 0;

    /// <summary>The runs of pages of a range that are in the set, ascending, none across a multiple of 512.</summary>
    public IReadOnlyList<(ulong First, ulong Count)> Runs(ulong first, ulong count)
    {
        List<(ulong First, ulong Count)> runs = [];
        foreach (ulong block in Existing(first, count).Order())
        {
            (int from, int to) = Within(block, first, count);
            ulong page = (block * PagesPerBlock) + (ulong)from;
            for (ulong end = (block * PagesPerBlock) + (ulong)to; page < end; page++)
            {
                if (!Contains(page))
                {
                    continue;
                }

                ulong start = page;
                while (page < end && Contains(page))
                {
                    page++;
                }

                runs.Add((start, page - start));
            }
        }

        return runs;
    }

    private static ulong Mask(int word, int from, int to)
    {
        int low = Math.Max(from - (word * PagesPerWord), 0);
        int high = Math.Min(to - (word * PagesPerWord), PagesPerWord);
        return (ulong.MaxValue << low) & (ulong.MaxValue >> (PagesPerWord - high));
    }

    /// <summary>The part of a range that lies in a block, as half-open indices of it.</summary>
    private static (int From, int To) Within(ulong block, ulong first, ulong count)
    {
        ulong start = block * PagesPerBlock;
        return ((int)(Math.Max(first, start) - start), (int)(Math.Min(first + count, start + PagesPerBlock) - start));
    }

    private static IEnumerable<(ulong Block, int From, int To)> Parts(ulong first, ulong count)
    {
        for (ulong block = first / PagesPerBlock; count > 0 && block <= (first + count - 1) / PagesPerBlock; block++)
        {
            (int from, int to) = Within(block, first, count);
            yield return (block, from, to);
        }
    }

    /// <summary>The blocks of a range that have pages, found by the shorter way: by the range, or by what there is.</summary>
    private List<ulong> Existing(ulong first, ulong count)
    {
        if (count == 0)
        {
            return [];
        }

        ulong firstBlock = first / PagesPerBlock;
        ulong lastBlock = (first + count - 1) / PagesPerBlock;
        if (lastBlock - firstBlock >= (ulong)_blocks.Count)
        {
            return [.. _blocks.Keys.Where(block => block >= firstBlock && block <= lastBlock)];
        }

        List<ulong> found = [];
        for (ulong block = firstBlock; block <= lastBlock; block++)
        {
            if (_blocks.ContainsKey(block))
            {
                found.Add(block);
            }
        }

        return found;
    }
}
