using Corelift.Linux.Interop;

namespace Corelift.Linux.Memory;

/// <summary>
/// Which pages of a process are present, asked by move_pages(2) without nodes: it reports and moves nothing, and asks for no
/// more than the right to trace (Linux 4.13 and later). About 60 ns a page, so it has a budget.
/// </summary>
public sealed unsafe class PageQuery
{
    private const int PageBytes = 4096;
    private const int BatchPages = 4096;
    private const long MostPages = 4L << 20;

    private readonly int _tid;
    private readonly ulong[] _pages = new ulong[BatchPages];
    private readonly int[] _status = new int[BatchPages];
    private long _asked;

    /// <summary>Asks about the process that has the task <paramref name="tid"/>.</summary>
    public PageQuery(int tid) => _tid = tid;

    /// <summary>Appends the runs of present pages; swapped pages are not among them.</summary>
    /// <returns>False where the kernel does not answer (no NUMA support), or the budget of pages is spent.</returns>
    public bool TryScan(ulong start, ulong end, PageRunList runs)
    {
        ArgumentNullException.ThrowIfNull(runs);
        long pages = (long)((end - start) / PageBytes);
        if (pages > MostPages - _asked)
        {
            return false;
        }

        _asked += pages;
        fixed (ulong* addresses = _pages)
        fixed (int* status = _status)
        {
            for (ulong next = start; next < end;)
            {
                int count = (int)Math.Min((end - next) / PageBytes, BatchPages);
                for (int i = 0; i < count; i++)
                {
                    addresses[i] = next + ((ulong)i * PageBytes);
                }

                if (LibC.QueryPages(_tid, (nuint)count, (void**)addresses, status) < 0)
                {
                    return false;
                }

                for (int i = 0; i < count; i++)
                {
                    if (status[i] >= 0)
                    {
                        runs.Add(addresses[i], addresses[i] + PageBytes);
                    }
                }

                next += (ulong)count * PageBytes;
            }
        }

        return true;
    }
}
