namespace Corelift.Elf;

/// <summary>Checks a snapshot before anything is laid out: it may come from another machine and is not trusted.</summary>
internal static class SnapshotRules
{
    internal const int SmallestPageBytes = 4096;
    private const int LargestPageBytes = 64 * 1024;

    /// <exception cref="CoreFormatException">The snapshot cannot become a core.</exception>
    internal static void Check(CoreSnapshot snapshot)
    {
        if (snapshot.Machine != ElfAbi.MachineX64)
        {
            throw new CoreFormatException($"ELF machine {snapshot.Machine} is not supported: only 62 (x86-64)");
        }

        CheckPageSize(snapshot.PageSizeBytes);
        CheckThreads(snapshot.Threads);
        CheckVmas(snapshot.Vmas, (ulong)snapshot.PageSizeBytes);
    }

    /// <exception cref="CoreFormatException">No page has this size.</exception>
    internal static void CheckPageSize(int pageSizeBytes)
    {
        if (pageSizeBytes is < SmallestPageBytes or > LargestPageBytes || !int.IsPow2(pageSizeBytes))
        {
            throw new CoreFormatException($"page size {pageSizeBytes} is not a power of two from 4096 to 65536");
        }
    }

    /// <summary>The same ranges, each checked as it comes.</summary>
    /// <exception cref="CoreFormatException">One is empty, not page-aligned, or begins before the end of the one before.</exception>
    internal static IEnumerable<(ulong Start, ulong End)> Checked(IEnumerable<(ulong Start, ulong End)> ranges, ulong pageSizeBytes)
    {
        ulong last = 0;
        foreach ((ulong start, ulong end) in ranges)
        {
            CheckRange("range", start, end, pageSizeBytes);
            if (start < last)
            {
                throw new CoreFormatException($"range at 0x{start:x} is out of order or overlaps the one before");
            }

            last = end;
            yield return (start, end);
        }
    }

    private static void CheckThreads(IReadOnlyList<CoreThread> threads)
    {
        if (threads.Count == 0)
        {
            throw new CoreFormatException("a core needs a thread");
        }

        HashSet<int> tids = [];
        foreach (CoreThread thread in threads)
        {
            if (thread.Tid <= 0 || !tids.Add(thread.Tid))
            {
                throw new CoreFormatException($"thread {thread.Tid} is not a thread id, or is there twice");
            }

            int registersBytes = NoteSequence.GeneralRegisters(thread).Length;
            if (registersBytes != X64Notes.GeneralRegistersBytes)
            {
                throw new CoreFormatException($"general registers of thread {thread.Tid} have {registersBytes} bytes, not 216");
            }

            if (thread.SigInfo.Length is not (0 or X64Notes.SigInfoBytes))
            {
                throw new CoreFormatException($"siginfo of thread {thread.Tid} has {thread.SigInfo.Length} bytes, not 128");
            }
        }
    }

    private static void CheckVmas(IReadOnlyList<CoreVma> vmas, ulong pageSizeBytes)
    {
        ulong end = 0;
        foreach (CoreVma vma in vmas)
        {
            CheckRange("VMA", vma.Start, vma.End, pageSizeBytes);
            if (vma.Start < end)
            {
                throw new CoreFormatException($"VMA at 0x{vma.Start:x} is out of order or overlaps the one before");
            }

            end = vma.Start;
            foreach (CoreRegion region in vma.Regions)
            {
                CheckRange("region", region.Start, region.End, pageSizeBytes);
                if (region.Start != end)
                {
                    throw new CoreFormatException($"region at 0x{region.Start:x} does not follow at 0x{end:x}");
                }

                end = region.End;
            }

            if (end != vma.End)
            {
                throw new CoreFormatException($"regions of the VMA at 0x{vma.Start:x} end at 0x{end:x}, not at 0x{vma.End:x}");
            }
        }
    }

    private static void CheckRange(string what, ulong start, ulong end, ulong pageSizeBytes)
    {
        if (start >= end || start % pageSizeBytes != 0 || end % pageSizeBytes != 0)
        {
            throw new CoreFormatException($"{what} 0x{start:x}-0x{end:x} is empty, backwards or not page-aligned");
        }
    }
}
