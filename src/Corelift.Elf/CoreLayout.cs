namespace Corelift.Elf;

/// <summary>A run of addresses whose bytes follow each other in the file.</summary>
internal readonly record struct Extent(ulong Start, ulong End, long OffsetBytes);

/// <summary>
/// Where everything stands in the file; all of it is known before the first byte of memory. Order: ELF header, program
/// headers, section header 0 if the headers are too many to count in e_phnum, notes, memory from a page boundary on,
/// vendor note.
/// </summary>
internal sealed class CoreLayout
{
    private const long LargestFileBytes = long.MaxValue / 2; // far beyond any file system; keeps sums from overflowing
    private const int OtherHeaders = 2; // the two PT_NOTEs
    private const int SmallestReserveBytes = 4 * 1024;
    private const int LargestReserveBytes = 16 * 1024 * 1024;

    internal CoreLayout(CoreSnapshot snapshot, CoreWriterOptions options)
    {
        SnapshotRules.Check(snapshot);
        PageSizeBytes = snapshot.PageSizeBytes;
        VendorJsonBytes = (int)ElfAbi.AlignUp(
            Math.Clamp(options.VendorNoteReserveBytes, SmallestReserveBytes, LargestReserveBytes), ElfAbi.NoteAlignmentBytes);
        Loads = LoadPlan.Build(snapshot.Vmas, Math.Max(1, options.MergeHeadersAbove - OtherHeaders));
        Notes = new NoteSequence(snapshot, options);
        HeaderCount = Loads.Count + OtherHeaders;
        CountsInSection = HeaderCount >= ElfAbi.ManyHeaders;
        SectionHeaderOffset = ElfAbi.HeaderBytes + ((long)HeaderCount * ElfAbi.ProgramHeaderBytes);
        NotesOffset = SectionHeaderOffset + (CountsInSection ? ElfAbi.SectionHeaderBytes : 0);
        MemoryOffset = ElfAbi.AlignUp(NotesOffset + Notes.SizeBytes, PageSizeBytes);
        Extents = PlaceMemory(out long end);
        VendorNoteOffset = end;
        VendorNoteSizeBytes = ElfAbi.NoteSizeBytes(SnapshotRecord.NoteOwner, VendorJsonBytes);
        FileLengthBytes = VendorNoteOffset + VendorNoteSizeBytes;
    }

    internal int PageSizeBytes { get; }

    internal IReadOnlyList<PlannedLoad> Loads { get; }

    internal NoteSequence Notes { get; }

    /// <summary>Program headers in all.</summary>
    internal int HeaderCount { get; }

    /// <summary>Whether e_phnum is PN_XNUM and the count stands in section header 0.</summary>
    internal bool CountsInSection { get; }

    internal long SectionHeaderOffset { get; }

    internal long NotesOffset { get; }

    /// <summary>Offset of the first byte of memory; a multiple of the page size.</summary>
    internal long MemoryOffset { get; }

    /// <summary>Where memory goes, in ascending order of address and, at the same time, of offset.</summary>
    internal IReadOnlyList<Extent> Extents { get; }

    internal long VendorNoteOffset { get; }

    internal long VendorNoteSizeBytes { get; }

    /// <summary>Room for the JSON of the vendor note.</summary>
    internal int VendorJsonBytes { get; }

    internal long FileLengthBytes { get; }

    /// <summary>Finds the extent that holds an address.</summary>
    /// <returns>Its index, or -1.</returns>
    internal int FindExtent(ulong address)
    {
        int low = 0;
        int high = Extents.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            Extent extent = Extents[middle];
            if (address < extent.Start)
            {
                high = middle - 1;
            }
            else if (address >= extent.End)
            {
                low = middle + 1;
            }
            else
            {
                return middle;
            }
        }

        return -1;
    }

    private List<Extent> PlaceMemory(out long end)
    {
        List<Extent> extents = [];
        end = MemoryOffset;
        foreach (PlannedLoad load in Loads)
        {
            if (!load.HasBytes)
            {
                continue;
            }

            if (load.SizeBytes > (ulong)(LargestFileBytes - end))
            {
                throw new CoreFormatException($"memory up to 0x{load.End:x} does not fit a file");
            }

            if (extents.Count > 0 && extents[^1].End == load.Start)
            {
                extents[^1] = extents[^1] with { End = load.End };
            }
            else
            {
                extents.Add(new Extent(load.Start, load.End, end));
            }

            end += (long)load.SizeBytes;
        }

        return extents;
    }
}
