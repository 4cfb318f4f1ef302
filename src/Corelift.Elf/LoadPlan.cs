namespace Corelift.Elf;

/// <summary>One PT_LOAD to come.</summary>
internal readonly record struct PlannedLoad(ulong Start, ulong End, CoreVmaFlags Flags, bool HasBytes)
{
    internal ulong SizeBytes => End - Start;
}

/// <summary>
/// Turns the regions of the VMAs into PT_LOADs: one each, cut where their bytes do not follow each other in the file,
/// unless that makes more headers than readers take. Then neighbours of equal permissions become one; first those of
/// one file or of none, since elfutils looks for modules at the beginning of a PT_LOAD, and only where that is not
/// enough also those of different files.
/// </summary>
internal static class LoadPlan
{
    internal static List<PlannedLoad> Build(IReadOnlyList<CoreVma> vmas, FileSpace space, int mergeAbove)
    {
        List<PlannedLoad> loads = Collect(vmas, space, static (_, _) => false);
        if (loads.Count > mergeAbove)
        {
            loads = Collect(vmas, space, static (last, next) => IsSameFile(last, next));
        }

        return loads.Count > mergeAbove ? Collect(vmas, space, static (_, _) => true) : loads;
    }

    private static List<PlannedLoad> Collect(IReadOnlyList<CoreVma> vmas, FileSpace space, Func<CoreVma, CoreVma, bool> mayMerge)
    {
        List<PlannedLoad> loads = [];
        CoreVma? last = null;
        foreach (CoreVma vma in vmas)
        {
            bool merge = last is not null && mayMerge(last, vma);
            foreach (PlannedLoad next in vma.Regions.SelectMany(region => Cut(region, vma.Flags, space)))
            {
                if (merge && loads[^1] is var before && before.End == next.Start
                    && before.Flags == next.Flags && before.HasBytes == next.HasBytes
                    && (!next.HasBytes || space.Find(next.Start)!.Value.Start < next.Start))
                {
                    loads[^1] = before with { End = next.End };
                }
                else
                {
                    loads.Add(next);
                }

                merge = false; // regions of one VMA differ, or the planner would not have cut them
            }

            last = vma;
        }

        return loads;
    }

    private static IEnumerable<PlannedLoad> Cut(CoreRegion region, CoreVmaFlags flags, FileSpace space) => region.HasBytes
        ? space.Cut(region.Start, region.End - region.Start).Select(run => new PlannedLoad(run.Start, run.End, flags, true))
        : [new PlannedLoad(region.Start, region.End, flags, false)];

    private static bool IsSameFile(CoreVma last, CoreVma next) =>
        string.Equals(last.Path, next.Path, StringComparison.Ordinal);
}
