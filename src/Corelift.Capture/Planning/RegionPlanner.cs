using Corelift.Linux.Procfs;

namespace Corelift.Capture.Planning;

/// <summary>Turns VMAs and a selection into regions, each with its source for a strategy.</summary>
internal static class RegionPlanner
{
    /// <summary>Regions of all VMAs in ascending order of address, without a gap within a VMA.</summary>
    /// <param name="vmas">VMAs of the instant.</param>
    /// <param name="details">smaps from before, in ascending order of address.</param>
    /// <param name="selector">The content.</param>
    /// <param name="strategy">Fork, Direct or Precopy.</param>
    /// <param name="copiesInPause">Whether direct copies in the pause; false where it reads the stopped target.</param>
    internal static List<CaptureRegion> Plan(
        IReadOnlyList<Vma> vmas, IReadOnlyList<VmaDetails> details, ContentSelector selector, CaptureStrategy strategy, bool copiesInPause)
    {
        var regions = new List<CaptureRegion>(vmas.Count + 16);
        var pieces = new List<Selected>();
        int next = 0;
        for (int i = 0; i < vmas.Count; i++)
        {
            Vma vma = vmas[i];
            while (next < details.Count && details[next].Vma.End <= vma.Start)
            {
                next++;
            }

            VmaDetails? before = next < details.Count && details[next].Vma.Start < vma.End && details[next].Vma.Inode == vma.Inode
                ? details[next]
                : null;
            pieces.Clear();
            selector.Select(vma, before, pieces);
            foreach (Selected piece in pieces)
            {
                regions.Add(ToRegion(vma, before, piece, i, strategy, copiesInPause));
            }
        }

        return regions;
    }

    /// <summary>
    /// Regions for strategy precopy: nearly everything is tracked. Shared memory is, too, where copying all of it in the pause
    /// would take more than a budget.
    /// </summary>
    /// <param name="vmas">VMAs, live or of the instant.</param>
    /// <param name="details">smaps from before, in ascending order of address.</param>
    /// <param name="selector">The content.</param>
    /// <param name="pauseCopyLimitBytes">Most bytes of shared memory that are copied in the pause.</param>
    internal static List<CaptureRegion> PlanPrecopy(
        IReadOnlyList<Vma> vmas, IReadOnlyList<VmaDetails> details, ContentSelector selector, long pauseCopyLimitBytes)
    {
        List<CaptureRegion> regions = Plan(vmas, details, selector, CaptureStrategy.Precopy, copiesInPause: true);
        ulong shared = 0;
        foreach (VmaDetails vma in details)
        {
            shared += vma.Vma.IsShared && (IsMemoryObject(vma.Vma) || vma.Vma.IsWritable)
                ? vma.ResidentBytes + vma.SwappedBytes + vma.SharedHugetlbBytes + vma.PrivateHugetlbBytes
                : 0;
        }

        if (shared > (ulong)pauseCopyLimitBytes)
        {
            for (int i = 0; i < regions.Count; i++)
            {
                if (regions[i].Consistency == Consistency.Shared)
                {
                    regions[i] = regions[i] with { Consistency = Consistency.SharedLive, Source = RegionSource.Tracked };
                }
            }
        }

        return regions;
    }

    private static CaptureRegion ToRegion(
        Vma vma, VmaDetails? details, Selected piece, int index, CaptureStrategy strategy, bool copiesInPause)
    {
        if (piece.Hole != HoleCause.None)
        {
            return new CaptureRegion(piece.Start, piece.End, index, Consistency.None, piece.Hole, RegionSource.None);
        }

        (Consistency consistency, RegionSource source) = strategy switch
        {
            CaptureStrategy.Fork => ForFork(vma, details),
            CaptureStrategy.Precopy => ForPrecopy(vma),
            _ => ForDirect(vma, copiesInPause),
        };
        return new CaptureRegion(piece.Start, piece.End, index, consistency, HoleCause.None, source);
    }

    private static (Consistency Consistency, RegionSource Source) ForFork(Vma vma, VmaDetails? details)
    {
        const VmaKernelFlags NotInImage = VmaKernelFlags.DontCopy | VmaKernelFlags.WipeOnFork;
        if (vma.IsShared)
        {
            return IsMemoryObject(vma) || vma.IsWritable
                ? (Consistency.Shared, RegionSource.PauseCopy)
                : (Consistency.File, RegionSource.AllPages);
        }

        return details is not null && (details.Flags & NotInImage) != 0
            ? (Consistency.Instant, RegionSource.PauseCopy)
            : vma.IsFileBacked ? (Consistency.File, RegionSource.AllPages)
            : vma.Name == "[vdso]" ? (Consistency.Instant, RegionSource.AllPages)
            : (Consistency.Instant, RegionSource.PresentPages);
    }

    private static (Consistency Consistency, RegionSource Source) ForPrecopy(Vma vma) =>
        vma.IsShared ? (IsMemoryObject(vma) || vma.IsWritable ? (Consistency.Shared, RegionSource.PauseCopy) : (Consistency.File, RegionSource.LiveFile))
        : vma.Name == "[vdso]" ? (Consistency.Instant, RegionSource.PauseCopy)
        : (vma.IsFileBacked ? Consistency.File : Consistency.Instant, RegionSource.Tracked);

    private static (Consistency Consistency, RegionSource Source) ForDirect(Vma vma, bool copiesInPause)
    {
        Consistency consistency = vma.IsShared
            ? (IsMemoryObject(vma) || vma.IsWritable ? Consistency.Shared : Consistency.File)
            : vma.IsFileBacked ? Consistency.File : Consistency.Instant;
        return (consistency, copiesInPause ? RegionSource.PauseCopy : RegionSource.PresentPages);
    }

    /// <summary>Shared memory that exists only as memory: a page nobody has made does not exist on any disk.</summary>
    internal static bool IsMemoryObject(Vma vma) =>
        !vma.IsFileBacked || vma.Name.StartsWith("/memfd:", StringComparison.Ordinal)
        || vma.Name.StartsWith("/dev/zero", StringComparison.Ordinal) || vma.Name.StartsWith("/dev/shm/", StringComparison.Ordinal)
        || vma.Name.StartsWith("/SYSV", StringComparison.Ordinal);
}
