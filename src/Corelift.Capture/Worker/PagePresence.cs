using Corelift.Capture.Planning;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>
/// Which pages of a stopped target exist: by its pagemap; where that cannot be had, by move_pages(2) without nodes, which
/// needs no descriptor and nothing done in the target; and where neither goes, by smaps from before.
/// </summary>
internal sealed class PagePresence
{
    private readonly TargetFacts _facts;
    private readonly Pagemap? _pagemap;
    private readonly PageQuery _query;

    internal PagePresence(TargetFacts facts, SafeFileHandle? pagemap, int tid)
    {
        _facts = facts;
        _pagemap = pagemap is null ? null : new Pagemap((int)pagemap.DangerousGetHandle());
        _query = new PageQuery(tid);
    }

    /// <summary>Appends the runs of a region's pages that exist.</summary>
    /// <returns>False where nobody can tell without making them.</returns>
    internal bool TryFind(CaptureRegion region, Vma vma, PageRunList runs)
    {
        if (vma.Name == "[vdso]")
        {
            runs.Add(region.Start, region.End); // a handful of the kernel's own pages
            return true;
        }

        if (_pagemap is not null && _pagemap.Scan(region.Start, region.End, runs))
        {
            return true;
        }

        VmaDetails? before = _facts.Vmas.Find(v => v.Vma.Start <= vma.Start && v.Vma.End > vma.Start);
        if (before is { IsEmpty: true })
        {
            return true;
        }

        if (before is not null && before.ResidentBytes >= vma.LengthBytes)
        {
            runs.Add(region.Start, region.End);
            return true;
        }

        return before is { SwappedBytes: 0 } && _query.TryScan(region.Start, region.End, runs);
    }
}
