namespace Corelift.Elf;

/// <summary>
/// Writes a core. <see cref="Create"/> is for memory that comes after all else is known: it lays the core out and writes
/// headers and notes. <see cref="CreateLive"/> is for memory that comes while the process still runs: what else there is
/// to say follows with <see cref="BeginInstant"/>. <see cref="WriteMemory"/> fills in the memory, and
/// <see cref="Complete"/> adds the vendor note without which <see cref="CoreVerifier"/> calls the file unfinished. Not
/// safe for use by several threads at once. Does not own the destination: whoever opened it closes it, and removes what
/// was not completed.
/// </summary>
/// <remarks>
/// A destination that can seek is emptied and written from its offset 0; pages that are never written, and pages of
/// zeros, stay holes of a sparse file. A destination that cannot seek gets the same bytes with every zero really
/// written, in one pass: memory must then come in ascending order of address, each byte at most once. The first failure
/// of the destination is thrown as it is and again, wrapped, by every later call.
/// </remarks>
public sealed class CoreWriter : IDisposable
{
    private readonly CoreSink _sink;
    private readonly int _livePageBytes; // 0 where no memory comes before the instant
    private readonly long _memoryOffset;
    private FileSpace _space;
    private CoreLayout? _layout;
    private bool _completed;
    private bool _disposed;

    private CoreWriter(Stream destination, CoreLayout layout)
    {
        _sink = new CoreSink(destination);
        _layout = layout;
        _space = layout.Space;
        _memoryOffset = layout.MemoryOffset;
    }

    private CoreWriter(Stream destination, FileSpace live, int pageSizeBytes)
    {
        _sink = new CoreSink(destination);
        _space = live;
        _memoryOffset = pageSizeBytes;
        _livePageBytes = pageSizeBytes;
    }

    /// <summary>Bytes given to <see cref="WriteMemory"/> so far; bytes written twice count twice.</summary>
    public long CapturedBytes { get; private set; }

    /// <summary>Bytes in pages of the core that may hold something else than zeros; later bytes for earlier ones do not count.</summary>
    public long HeldBytes => _space.Extents.Sum(extent => _sink.HeldBytes(_memoryOffset + extent.OffsetBytes, (long)extent.SizeBytes));

    /// <summary>
    /// Bytes in the file that belong to no segment: memory that came before the instant, of addresses that the core does
    /// not hold. 0 until <see cref="BeginInstant"/>, and for a core that was made by <see cref="Create"/>.
    /// </summary>
    public long UnreferencedBytes { get; private set; }

    /// <summary>Length of the finished core in bytes, holes included. Known from the layout on.</summary>
    public long FileLengthBytes => Layout.FileLengthBytes;

    /// <summary>Most bytes of JSON that <see cref="Complete"/> takes; see <see cref="SnapshotRecord.ToJson"/>.</summary>
    public int VendorNoteCapacityBytes => Layout.VendorJsonBytes;

    /// <summary>Program headers of the core, after merging, both PT_NOTEs included.</summary>
    public int ProgramHeaderCount => Layout.HeaderCount;

    private CoreLayout Layout => _layout ?? throw new InvalidOperationException("the instant is not known yet");

    /// <summary>Lays out a core and writes ELF header, program headers and the standard notes.</summary>
    /// <param name="destination">Where it goes; must be writable. Left open by <see cref="Dispose"/>.</param>
    /// <param name="snapshot">What the core says besides memory. Read again by nobody after this call.</param>
    /// <param name="options">Layout; null for the defaults.</param>
    /// <exception cref="CoreFormatException">
    /// The snapshot cannot become a core: another machine, no thread, registers of the wrong size, VMAs out of order, or
    /// more zeros than <see cref="CoreWriterOptions.LargestPipeFileBytes"/> for a destination that cannot seek.
    /// </exception>
    /// <exception cref="IOException">The destination failed; a full disk for one.</exception>
    public static CoreWriter Create(Stream destination, CoreSnapshot snapshot, CoreWriterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(snapshot);
        options ??= new CoreWriterOptions();
        CoreLayout layout = CoreLayout.InOrder(snapshot, options);
        if (!destination.CanSeek && layout.FileLengthBytes > options.LargestPipeFileBytes)
        {
            throw new CoreFormatException(
                $"the core would be {layout.FileLengthBytes} bytes long with its zeros; at most {options.LargestPipeFileBytes} go into a pipe");
        }

        CoreWriter writer = new(destination, layout);
        writer._sink.Clear();
        writer._sink.WriteHeaders(layout);
        return writer;
    }

    /// <summary>Begins a core with memory of a process that still runs. Its headers will stand behind the memory.</summary>
    /// <param name="destination">Where it goes; must be able to write and to seek. Left open by <see cref="Dispose"/>.</param>
    /// <param name="pageSizeBytes">Page size of the target.</param>
    /// <param name="live">Ranges of which memory can come before the instant: ascending, page-aligned, without overlap.</param>
    /// <exception cref="CoreFormatException">The ranges or the page size make no sense.</exception>
    /// <exception cref="IOException">The destination failed.</exception>
    public static CoreWriter CreateLive(Stream destination, int pageSizeBytes, IEnumerable<(ulong Start, ulong End)> live)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(live);
        if (!destination.CanSeek)
        {
            throw new ArgumentException("memory that is replaced later needs a destination that can seek", nameof(destination));
        }

        SnapshotRules.CheckPageSize(pageSizeBytes);
        CoreWriter writer = new(destination, FileSpace.InOrder(SnapshotRules.Checked(live, (ulong)pageSizeBytes)), pageSizeBytes);
        writer._sink.Clear();
        return writer;
    }

    /// <summary>
    /// Says what the process was at its instant. From now on memory goes into the regions of the snapshot: those that lie
    /// where live memory came keep it, until it is replaced; the others are zero. What came of other addresses is forgotten.
    /// </summary>
    /// <param name="snapshot">What the core says besides memory, of the same page size.</param>
    /// <param name="options">Layout; null for the defaults.</param>
    /// <exception cref="CoreFormatException">The snapshot cannot become a core. Nothing was written.</exception>
    /// <exception cref="InvalidOperationException">The instant is known already.</exception>
    /// <exception cref="IOException">The destination failed.</exception>
    public void BeginInstant(CoreSnapshot snapshot, CoreWriterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        VerifyUsable();
        if (_layout is not null)
        {
            throw new InvalidOperationException("the instant is known already");
        }

        if (snapshot.PageSizeBytes != _livePageBytes)
        {
            throw new CoreFormatException($"pages of {snapshot.PageSizeBytes} bytes, but of {_livePageBytes} before the instant");
        }

        CoreLayout layout = CoreLayout.Behind(_space, snapshot, options ?? new CoreWriterOptions());
        long heldBytes = HeldBytes;
        _layout = layout;
        _space = layout.Space;
        UnreferencedBytes = heldBytes - HeldBytes;
        _sink.WriteHeaders(layout);
    }

    /// <summary>
    /// Writes memory of the target. It may span regions that follow each other without a gap, but every byte must lie in a
    /// region that has bytes. On a destination that can seek, any order will do and later bytes replace earlier ones.
    /// </summary>
    /// <param name="address">Address of the first byte; need not be page-aligned.</param>
    /// <param name="bytes">The bytes; none is allowed.</param>
    /// <exception cref="CoreFormatException">
    /// Part of the range has no place in the core, or the destination cannot seek and is already past it. Nothing was
    /// written, and the writer can go on.
    /// </exception>
    /// <exception cref="IOException">The destination failed.</exception>
    public void WriteMemory(ulong address, ReadOnlySpan<byte> bytes)
    {
        VerifyUsable();
        if (bytes.IsEmpty)
        {
            return;
        }

        foreach (Extent run in Find(address, (ulong)bytes.Length))
        {
            long offset = _memoryOffset + run.OffsetBytes;
            if (!_sink.Reaches(offset))
            {
                throw new CoreFormatException($"memory at 0x{address:x} comes too late: the destination cannot seek back");
            }

            _sink.WriteMemory(offset, bytes.Slice((int)(run.Start - address), (int)run.SizeBytes));
        }

        CapturedBytes += bytes.Length;
    }

    /// <summary>Makes memory zero that was written before. Costs nothing where none was. The destination must be able to seek.</summary>
    /// <param name="start">First address; page-aligned.</param>
    /// <param name="end">First address after it; page-aligned.</param>
    /// <exception cref="CoreFormatException">Part of the range has no place in the core, or is not page-aligned.</exception>
    /// <exception cref="IOException">The destination failed.</exception>
    public void WriteZeros(ulong start, ulong end)
    {
        VerifyUsable();
        if (!_sink.CanSeek)
        {
            throw new InvalidOperationException("the destination cannot seek");
        }

        if (start > end || (start | end) % SnapshotRules.SmallestPageBytes != 0)
        {
            throw new CoreFormatException($"zeros 0x{start:x}-0x{end:x} are backwards or not page-aligned");
        }

        foreach (Extent run in Find(start, end - start))
        {
            _sink.Zero(_memoryOffset + run.OffsetBytes, (long)run.SizeBytes);
        }
    }

    /// <summary>Writes the vendor note and so makes the core whole. The last call before <see cref="Dispose"/>.</summary>
    /// <param name="vendorNoteJson">
    /// One JSON value in UTF-8, at most <see cref="VendorNoteCapacityBytes"/> long. Not parsed; what it leaves of the room
    /// is filled with spaces and a last newline, which JSON ignores.
    /// </param>
    /// <exception cref="CoreFormatException">The JSON is empty or too long. The writer can go on.</exception>
    /// <exception cref="IOException">The destination failed.</exception>
    public void Complete(ReadOnlySpan<byte> vendorNoteJson)
    {
        VerifyUsable();
        CoreLayout layout = Layout;
        if (vendorNoteJson.IsEmpty || vendorNoteJson.Length > layout.VendorJsonBytes)
        {
            throw new CoreFormatException(
                $"vendor note of {vendorNoteJson.Length} bytes: 1 to {layout.VendorJsonBytes} were reserved for it");
        }

        byte[] note = new byte[layout.VendorNoteSizeBytes];
        int headBytes = HeaderWriter.NoteHeadBytes(SnapshotRecord.NoteOwner);
        HeaderWriter.WriteNoteHeader(note, SnapshotRecord.NoteOwner, SnapshotRecord.NoteType, layout.VendorJsonBytes);
        vendorNoteJson.CopyTo(note.AsSpan(headBytes));
        Span<byte> rest = note.AsSpan(headBytes + vendorNoteJson.Length);
        rest.Fill((byte)' ');
        if (!rest.IsEmpty)
        {
            rest[^1] = (byte)'\n';
        }

        _sink.WriteEnd(layout.VendorNoteOffset, note);
        _completed = true;
    }

    /// <summary>Ends the writing. Without <see cref="Complete"/> the file stays unfinished and can be told to be.</summary>
    public void Dispose() => _disposed = true;

    private IReadOnlyList<Extent> Find(ulong address, ulong lengthBytes)
    {
        IReadOnlyList<Extent> runs = _space.Cut(address, lengthBytes);
        return runs.Count > 0 || lengthBytes == 0
            ? runs
            : throw new CoreFormatException($"{lengthBytes} bytes at 0x{address:x} do not lie in regions that have bytes");
    }

    private void VerifyUsable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _sink.Verify();
        if (_completed)
        {
            throw new InvalidOperationException("the core is complete");
        }
    }
}
