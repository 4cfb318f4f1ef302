namespace Corelift.Elf;

/// <summary>
/// Where everything stands in the file. In order: ELF header, tables (program headers, section header 0 if the headers
/// are too many to count in e_phnum, notes), memory from a page boundary on, vendor note; all of it known before the
/// first byte of memory. Behind memory that came before the instant: ELF header, memory from the second page on, tables,
/// vendor note.
/// </summary>
internal sealed class CoreLayout
{
    private const int OtherHeaders = 2; // the two PT_NOTEs
    private const int SmallestReserveBytes = 4 * 1024;
    private const int LargestReserveBytes = 16 * 1024 * 1024;

    private CoreLayout(CoreSnapshot snapshot, CoreWriterOptions options, FileSpace space)
    {
        Snapshot = snapshot;
        Space = space;
        VendorJsonBytes = (int)ElfAbi.AlignUp(
            Math.Clamp(options.VendorNoteReserveBytes, SmallestReserveBytes, LargestReserveBytes), ElfAbi.NoteAlignmentBytes);
        VendorNoteSizeBytes = ElfAbi.NoteSizeBytes(SnapshotRecord.NoteOwner, VendorJsonBytes);
        Loads = LoadPlan.Build(snapshot.Vmas, space, Math.Max(1, options.MergeHeadersAbove - OtherHeaders));
        Notes = new NoteSequence(snapshot, options);
        HeaderCount = Loads.Count + OtherHeaders;
        CountsInSection = HeaderCount >= ElfAbi.ManyHeaders;
    }

    internal CoreSnapshot Snapshot { get; }

    internal int PageSizeBytes => Snapshot.PageSizeBytes;

    internal IReadOnlyList<PlannedLoad> Loads { get; }

    internal NoteSequence Notes { get; }

    /// <summary>Where memory goes, counted from <see cref="MemoryOffset"/>.</summary>
    internal FileSpace Space { get; }

    /// <summary>Program headers in all.</summary>
    internal int HeaderCount { get; }

    /// <summary>Whether e_phnum is PN_XNUM and the count stands in section header 0.</summary>
    internal bool CountsInSection { get; }

    /// <summary>Offset of the program headers.</summary>
    internal long TablesOffset { get; private set; }

    internal long SectionHeaderOffset => TablesOffset + ((long)HeaderCount * ElfAbi.ProgramHeaderBytes);

    internal long NotesOffset => SectionHeaderOffset + (CountsInSection ? ElfAbi.SectionHeaderBytes : 0);

    internal long NotesEnd => NotesOffset + Notes.SizeBytes;

    /// <summary>Offset of the first byte of memory; a multiple of the page size.</summary>
    internal long MemoryOffset { get; private set; }

    internal long VendorNoteOffset { get; private set; }

    internal long VendorNoteSizeBytes { get; }

    /// <summary>Room for the JSON of the vendor note.</summary>
    internal int VendorJsonBytes { get; }

    internal long FileLengthBytes => VendorNoteOffset + VendorNoteSizeBytes;

    /// <summary>Offset in the file of an address that has room.</summary>
    internal long OffsetOf(ulong address)
    {
        Extent extent = Space.Find(address)!.Value;
        return MemoryOffset + extent.OffsetBytes + (long)(address - extent.Start);
    }

    /// <summary>Lays out a core of which everything but memory is known.</summary>
    /// <exception cref="CoreFormatException">The snapshot cannot become a core.</exception>
    internal static CoreLayout InOrder(CoreSnapshot snapshot, CoreWriterOptions options)
    {
        SnapshotRules.Check(snapshot);
        FileSpace space = FileSpace.InOrder(WithBytes(snapshot.Vmas.SelectMany(vma => vma.Regions)));
        CoreLayout layout = new(snapshot, options, space) { TablesOffset = ElfAbi.HeaderBytes };
        layout.MemoryOffset = ElfAbi.AlignUp(layout.NotesEnd, snapshot.PageSizeBytes);
        layout.VendorNoteOffset = layout.MemoryOffset + space.SizeBytes;
        return layout;
    }

    /// <summary>Lays out a core part of whose memory stands in the file already, from the second page on.</summary>
    /// <exception cref="CoreFormatException">The snapshot cannot become a core.</exception>
    internal static CoreLayout Behind(FileSpace live, CoreSnapshot snapshot, CoreWriterOptions options)
    {
        SnapshotRules.Check(snapshot);
        FileSpace space = live.Rearrange(WithBytes(snapshot.Vmas.SelectMany(vma => vma.Regions)));
        CoreLayout layout = new(snapshot, options, space)
        {
            MemoryOffset = snapshot.PageSizeBytes,
            TablesOffset = snapshot.PageSizeBytes + space.SizeBytes,
        };
        layout.VendorNoteOffset = ElfAbi.AlignUp(layout.NotesEnd, ElfAbi.NoteAlignmentBytes);
        return layout;
    }

    internal static IEnumerable<(ulong Start, ulong End)> WithBytes(IEnumerable<CoreRegion> regions) =>
        regions.Where(region => region.HasBytes).Select(region => (region.Start, region.End));
}
