using System.Runtime.InteropServices;

namespace Corelift.Linux.Memory;

/// <summary>Runs of pages in ascending order; neighbours are joined. Grows by doubling; give it room before a stop.</summary>
public sealed class PageRunList
{
    private PageRun[] _runs;

    /// <summary>An empty list with room for <paramref name="capacity"/> runs.</summary>
    public PageRunList(int capacity = 1024) => _runs = new PageRun[capacity];

    /// <summary>Number of runs.</summary>
    public int Count { get; private set; }

    /// <summary>Sum of the runs' lengths in bytes.</summary>
    public ulong TotalBytes { get; private set; }

    /// <summary>The runs.</summary>
    public ReadOnlySpan<PageRun> Runs => _runs.AsSpan(0, Count);

    /// <summary>Adds a run that does not start below the end of the last one.</summary>
    public void Add(ulong start, ulong end)
    {
        TotalBytes += end - start;
        if (Count > 0 && _runs[Count - 1].End == start)
        {
            _runs[Count - 1] = new PageRun(_runs[Count - 1].Start, end);
            return;
        }

        if (Count == _runs.Length)
        {
            Array.Resize(ref _runs, _runs.Length * 2);
        }

        _runs[Count++] = new PageRun(start, end);
    }

    /// <summary>Forgets all runs and keeps the room.</summary>
    public void Clear()
    {
        Count = 0;
        TotalBytes = 0;
    }

    /// <summary>The runs as bytes, for a shared buffer.</summary>
    internal ReadOnlySpan<byte> AsBytes() => MemoryMarshal.AsBytes(Runs);
}
