namespace Corelift.Elf;

/// <summary>
/// Writes a core: <see cref="Create"/> lays it out and writes headers and notes, <see cref="WriteMemory"/> fills in the
/// memory, <see cref="Complete"/> adds the vendor note without which <see cref="CoreVerifier"/> calls the file
/// unfinished. Not safe for use by several threads at once. Does not own the destination: whoever opened it closes it,
/// and removes what was not completed.
/// </summary>
/// <remarks>
/// A destination that can seek is emptied and written from its offset 0; pages that are never written, and pages of
/// zeros, stay holes of a sparse file. A destination that cannot seek gets the same bytes with every zero really
/// written, in one pass: memory must then come in ascending order of address, each byte at most once. The first failure
/// of the destination is thrown as it is and again, wrapped, by every later call.
/// </remarks>
public sealed class CoreWriter : IDisposable
{
    private static readonly byte[] s_zeros = new byte[64 * 1024];

    private readonly Stream _destination;
    private readonly CoreLayout _layout;
    private readonly bool _seekable;
    private long _writtenUpTo; // no byte of the file from here on has been written
    private Exception? _failure;
    private bool _completed;
    private bool _disposed;

    private CoreWriter(Stream destination, CoreLayout layout)
    {
        _destination = destination;
        _layout = layout;
        _seekable = destination.CanSeek;
    }

    /// <summary>Bytes given to <see cref="WriteMemory"/> so far; bytes written twice count twice.</summary>
    public long CapturedBytes { get; private set; }

    /// <summary>Length of the finished core in bytes, holes included. Known from the start.</summary>
    public long FileLengthBytes => _layout.FileLengthBytes;

    /// <summary>Most bytes of JSON that <see cref="Complete"/> takes; see <see cref="SnapshotRecord.ToJson"/>.</summary>
    public int VendorNoteCapacityBytes => _layout.VendorJsonBytes;

    /// <summary>Program headers of the core, after merging, both PT_NOTEs included.</summary>
    public int ProgramHeaderCount => _layout.HeaderCount;

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
        CoreLayout layout = new(snapshot, options);
        if (!destination.CanSeek && layout.FileLengthBytes > options.LargestPipeFileBytes)
        {
            throw new CoreFormatException(
                $"the core would be {layout.FileLengthBytes} bytes long with its zeros; at most {options.LargestPipeFileBytes} go into a pipe");
        }

        CoreWriter writer = new(destination, layout);
        if (writer._seekable)
        {
            destination.SetLength(0);
            destination.Position = 0;
        }

        new HeaderWriter(destination, layout, snapshot.Machine).Write();
        writer._writtenUpTo = layout.NotesOffset + layout.Notes.SizeBytes;
        return writer;
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

        int index = _layout.FindExtent(address);
        if (index < 0 || (ulong)bytes.Length > _layout.Extents[index].End - address)
        {
            throw new CoreFormatException($"{bytes.Length} bytes at 0x{address:x} do not lie in regions that have bytes");
        }

        Extent extent = _layout.Extents[index];
        long offset = extent.OffsetBytes + (long)(address - extent.Start);
        if (!_seekable && offset < _writtenUpTo)
        {
            throw new CoreFormatException($"memory at 0x{address:x} comes too late: the destination cannot seek back");
        }

        Guard(offset, bytes, sparse: true);
        CapturedBytes += bytes.Length;
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
        if (vendorNoteJson.IsEmpty || vendorNoteJson.Length > _layout.VendorJsonBytes)
        {
            throw new CoreFormatException(
                $"vendor note of {vendorNoteJson.Length} bytes: 1 to {_layout.VendorJsonBytes} were reserved for it");
        }

        byte[] note = new byte[_layout.VendorNoteSizeBytes];
        int headBytes = HeaderWriter.NoteHeadBytes(SnapshotRecord.NoteOwner);
        HeaderWriter.WriteNoteHeader(note, SnapshotRecord.NoteOwner, SnapshotRecord.NoteType, _layout.VendorJsonBytes);
        vendorNoteJson.CopyTo(note.AsSpan(headBytes));
        Span<byte> rest = note.AsSpan(headBytes + vendorNoteJson.Length);
        rest.Fill((byte)' ');
        if (!rest.IsEmpty)
        {
            rest[^1] = (byte)'\n';
        }

        Guard(_layout.VendorNoteOffset, note, sparse: false);
        _completed = true;
    }

    /// <summary>Ends the writing. Without <see cref="Complete"/> the file stays unfinished and can be told to be.</summary>
    public void Dispose() => _disposed = true;

    private void Guard(long offset, ReadOnlySpan<byte> bytes, bool sparse)
    {
        try
        {
            if (!_seekable)
            {
                FillWithZeros(offset - _writtenUpTo);
                _destination.Write(bytes);
            }
            else if (sparse)
            {
                WriteSparse(offset, bytes);
            }
            else
            {
                WriteAt(offset, bytes);
            }

            _writtenUpTo = Math.Max(_writtenUpTo, offset + bytes.Length);
            if (!sparse)
            {
                _destination.Flush();
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            _failure = failure;
            throw;
        }
    }

    /// <summary>
    /// Leaves out pages of zeros where nothing was written before. Below <see cref="_writtenUpTo"/> zeros are written, since
    /// they may have to replace something.
    /// </summary>
    private void WriteSparse(long offset, ReadOnlySpan<byte> bytes)
    {
        int pending = 0; // first byte that is neither written nor skipped
        int at = 0;
        while (at < bytes.Length)
        {
            int pageRest = (int)(_layout.PageSizeBytes - ((offset + at) % _layout.PageSizeBytes));
            int length = Math.Min(pageRest, bytes.Length - at);
            if (offset + at >= _writtenUpTo && !bytes.Slice(at, length).ContainsAnyExcept((byte)0))
            {
                WriteAt(offset + pending, bytes[pending..at]);
                pending = at + length;
            }

            at += length;
        }

        WriteAt(offset + pending, bytes[pending..]);
    }

    private void WriteAt(long offset, ReadOnlySpan<byte> bytes)
    {
        if (!bytes.IsEmpty)
        {
            _destination.Position = offset;
            _destination.Write(bytes);
        }
    }

    private void FillWithZeros(long lengthBytes)
    {
        while (lengthBytes > 0)
        {
            int length = (int)Math.Min(lengthBytes, s_zeros.Length);
            _destination.Write(s_zeros.AsSpan(0, length));
            lengthBytes -= length;
        }
    }

    private void VerifyUsable()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_failure is not null)
        {
            throw new IOException("the core's destination failed before", _failure);
        }

        if (_completed)
        {
            throw new InvalidOperationException("the core is complete");
        }
    }
}
