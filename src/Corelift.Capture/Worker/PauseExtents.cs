using Corelift.Linux.Memory;

namespace Corelift.Capture.Worker;

/// <summary>Brings what was copied more than once, and runs from two lists, into one order.</summary>
internal static class PauseExtents
{
    private const ulong PageBytes = 4096;

    /// <summary>The newest copy of each page, in ascending order of address; pages that follow each other in both are one extent.</summary>
    /// <param name="extents">In the order in which they were copied: a later one replaces an earlier one.</param>
    /// <param name="stale">Pages of which copies below an offset are out of date, in ascending order.</param>
    /// <param name="staleBelow">That offset.</param>
    internal static ExtentList Newest(ExtentList extents, ReadOnlySpan<PageRun> stale, long staleBelow)
    {
        if (stale.IsEmpty && IsAscending(extents))
        {
            return extents;
        }

        (ulong Address, long Offset)[] pages = Pages(extents);
        Array.Sort(pages);
        var result = new ExtentList();
        PauseExtent last = default;
        int run = 0;
        for (int i = 0; i < pages.Length; i++)
        {
            (ulong address, long offset) = pages[i];
            for (; run < stale.Length && stale[run].End <= address; run++)
            {
            }

            if (offset < staleBelow && run < stale.Length && stale[run].Start <= address)
            {
                continue;
            }

            if (i + 1 < pages.Length && pages[i + 1].Address == address)
            {
                continue; // the buffer is filled from its start on: the copy behind is the newer one
            }

            bool follows = last.LengthBytes is > 0 and < PauseCopier.PieceBytes
                && last.Address + last.LengthBytes == address && last.Offset + (long)last.LengthBytes == offset;
            if (follows)
            {
                result.RemoveLast();
            }

            last = follows ? last with { LengthBytes = last.LengthBytes + PageBytes } : new PauseExtent(address, PageBytes, offset);
            result.Add(last);
        }

        return result;
    }

    /// <summary>All addresses of two ascending lists, in ascending order, neighbours joined, as they are in each of them.</summary>
    internal static PageRun[] Union(ReadOnlySpan<PageRun> left, ReadOnlySpan<PageRun> right)
    {
        if (left.IsEmpty || right.IsEmpty)
        {
            return left.IsEmpty ? right.ToArray() : left.ToArray(); // of 400,000 runs a list beside it is 6 MB more
        }

        var result = new List<PageRun>(left.Length + right.Length);
        (int l, int r) = (0, 0);
        while (l < left.Length || r < right.Length)
        {
            PageRun next = r == right.Length || (l < left.Length && left[l].Start <= right[r].Start) ? left[l++] : right[r++];
            if (result.Count > 0 && next.Start <= result[^1].End)
            {
                result[^1] = new PageRun(result[^1].Start, Math.Max(result[^1].End, next.End));
            }
            else
            {
                result.Add(next);
            }
        }

        return [.. result];
    }

    private static (ulong Address, long Offset)[] Pages(ExtentList extents)
    {
        ulong count = 0;
        for (int i = 0; i < extents.Count; i++)
        {
            count += extents[i].LengthBytes / PageBytes;
        }

        var pages = new (ulong Address, long Offset)[count];
        int next = 0;
        for (int i = 0; i < extents.Count; i++)
        {
            for (ulong at = 0; at < extents[i].LengthBytes; at += PageBytes)
            {
                pages[next++] = (extents[i].Address + at, extents[i].Offset + (long)at);
            }
        }

        return pages;
    }

    private static bool IsAscending(ExtentList extents)
    {
        for (int i = 1; i < extents.Count; i++)
        {
            if (extents[i].Address < extents[i - 1].Address + extents[i - 1].LengthBytes)
            {
                return false;
            }
        }

        return true;
    }
}
