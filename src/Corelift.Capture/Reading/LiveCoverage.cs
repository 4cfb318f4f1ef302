using Corelift.Linux.Memory;

namespace Corelift.Capture.Reading;

/// <summary>What the live rounds of strategy precopy read: ranges, and which pages of mapped files came from memory.</summary>
internal sealed class LiveCoverage
{
    private const int MostFileRuns = 1 << 16;

    private readonly List<PageRun> _ranges = [];
    private readonly List<PageRun> _filePages = [];
    private PageRun[]? _sorted;

    /// <summary>Takes over the ranges that are read, in ascending order.</summary>
    internal LiveCoverage(IEnumerable<CaptureRegion> regions)
    {
        foreach (CaptureRegion region in regions)
        {
            if (region.HasBytes)
            {
                Append(_ranges, new PageRun(region.Start, region.End));
            }
        }
    }

    /// <summary>Notes pages of a mapped file that were read from the process's memory: they may be copies of its own.</summary>
    internal void NoteFilePages(PageRun run)
    {
        _sorted = null;
        if (_filePages.Count >= MostFileRuns && _filePages[^1].End <= run.Start)
        {
            // Too many to remember each: to read a page of the file again does no harm.
            _filePages[^1] = new PageRun(_filePages[^1].Start, run.End);
            return;
        }

        Append(_filePages, run);
    }

    /// <summary>Whether a page was read by a live round.</summary>
    internal bool Covers(ulong page) => Contains(_ranges.Count, i => _ranges[i], page);

    /// <summary>Whether a page of a mapped file has to be read again where the process has it no longer.</summary>
    internal bool NeedsFileAgain(ulong page)
    {
        _sorted ??= Sort(_filePages);
        return !Covers(page) || Contains(_sorted.Length, i => _sorted[i], page);
    }

    private static PageRun[] Sort(List<PageRun> runs)
    {
        var sorted = new List<PageRun>(runs.Count);
        foreach (PageRun run in runs.OrderBy(r => r.Start))
        {
            if (sorted.Count > 0 && run.Start <= sorted[^1].End)
            {
                sorted[^1] = new PageRun(sorted[^1].Start, Math.Max(sorted[^1].End, run.End));
            }
            else
            {
                sorted.Add(run);
            }
        }

        return [.. sorted];
    }

    private static void Append(List<PageRun> runs, PageRun run)
    {
        if (runs.Count > 0 && runs[^1].End == run.Start)
        {
            runs[^1] = new PageRun(runs[^1].Start, run.End);
        }
        else
        {
            runs.Add(run);
        }
    }

    private static bool Contains(int count, Func<int, PageRun> at, ulong page)
    {
        (int low, int high) = (0, count);
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = at(middle).End <= page ? (middle + 1, high) : (low, middle);
        }

        return low < count && at(low).Start <= page;
    }
}
