using System.Buffers.Binary;

namespace Corelift.Elf;

/// <summary>
/// A core opened for reading: ours, the kernel's, gdb's. The file is not trusted: whatever it holds, nothing but
/// <see cref="CoreFormatException"/> and <see cref="IOException"/> is thrown, and nothing is allocated by a number in it
/// that was not compared with <see cref="CoreLimits"/> and the length of the file. Not safe for several threads at once.
/// </summary>
/// <remarks>
/// Opening asks only for ELF header and program headers. Whether the file is whole is <see cref="CoreVerifier"/>'s
/// question; here a cut file gives what it still has.
/// </remarks>
public sealed class CoreFile : IDisposable
{
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly ProgramHeader[] _loads; // those with bytes, by address

    private CoreFile(Stream stream, CoreLimits limits, bool leaveOpen)
    {
        _stream = stream;
        _leaveOpen = leaveOpen;
        Limits = limits;
        File = new FileWindow(stream);
        ProgramHeader[] headers = ElfHeaderReader.Read(File, limits, out ushort machine);
        Machine = machine;
        ProgramHeaders = headers;
        NoteScanner scanner = new(File, limits);
        scanner.Scan(headers);
        Notes = scanner.Notes;
        NoteDamage = scanner.Damage;
        _loads = [.. headers.Where(h => h.IsLoad && h.FileBytes > 0)];
        Array.Sort(_loads, static (a, b) => a.Address.CompareTo(b.Address));
    }

    /// <summary>e_machine: 62 is x86-64.</summary>
    public ushort Machine { get; }

    /// <summary>Length of the file in bytes, holes included.</summary>
    public long LengthBytes => File.LengthBytes;

    /// <summary>The program headers in the file's order.</summary>
    public IReadOnlyList<ProgramHeader> ProgramHeaders { get; }

    /// <summary>The notes of all PT_NOTE segments in the file's order.</summary>
    public IReadOnlyList<CoreNote> Notes { get; }

    /// <summary>What kept notes from being found: one sentence each; empty for a sound file.</summary>
    public IReadOnlyList<string> NoteDamage { get; }

    /// <summary>The limits it was opened with.</summary>
    public CoreLimits Limits { get; }

    internal FileWindow File { get; }

    /// <summary>Opens a core.</summary>
    /// <param name="stream">The file; must be able to read and to seek.</param>
    /// <param name="limits">Bounds; null for the defaults.</param>
    /// <param name="leaveOpen">Whether <see cref="Dispose"/> leaves the stream open. It is left open if this throws.</param>
    /// <exception cref="CoreFormatException">Not a 64-bit little-endian core, or its tables are cut or absurd.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public static CoreFile Open(Stream stream, CoreLimits? limits = null, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.CanSeek || !stream.CanRead)
        {
            throw new ArgumentException("a core is read from a stream that can seek", nameof(stream));
        }

        return new CoreFile(stream, limits ?? new CoreLimits(), leaveOpen);
    }

    /// <summary>Reads the description of a note.</summary>
    /// <exception cref="CoreFormatException">It is longer than <see cref="CoreLimits.MaxNoteBytes"/>.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public byte[] ReadNote(CoreNote note) => ReadNote(note, Limits.MaxNoteBytes);

    /// <summary>Reads the threads in the file's order; the first is the one that debuggers show first.</summary>
    /// <exception cref="CoreFormatException">Too many threads, or a NT_PRSTATUS too short or too long.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public IReadOnlyList<CoreFileThread> ReadThreads()
    {
        List<CoreFileThread> threads = [];
        List<CoreNote> further = [];
        foreach (CoreNote note in Notes)
        {
            if (IsCore(note, ElfAbi.PrStatus))
            {
                if (threads.Count >= Limits.MaxThreads)
                {
                    throw new CoreFormatException($"more than {Limits.MaxThreads} threads");
                }

                further = [];
                threads.Add(ReadThread(note, further));
            }
            else if (threads.Count > 0 && IsOfThread(note))
            {
                further.Add(note);
            }
        }

        return threads;
    }

    /// <summary>Reads NT_FILE; empty where the core has none.</summary>
    /// <exception cref="CoreFormatException">The note is malformed or above the limits.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public IReadOnlyList<CoreMappedFile> ReadMappedFiles() =>
        FindNote(ElfAbi.CoreOwner, ElfAbi.MappedFiles) is { } note
            ? MappedFilesParser.Parse(ReadNote(note), Limits)
            : [];

    /// <summary>Reads NT_AUXV, AT_NULL included if it is there; empty where the core has none.</summary>
    /// <exception cref="CoreFormatException">Too many entries, or not a whole number of them.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public IReadOnlyList<CoreAuxEntry> ReadAuxv()
    {
        if (FindNote(ElfAbi.CoreOwner, ElfAbi.Auxv) is not { } note)
        {
            return [];
        }

        if (note.SizeBytes % 16 != 0 || note.SizeBytes / 16 > Limits.MaxAuxvEntries)
        {
            throw new CoreFormatException($"NT_AUXV of {note.SizeBytes} bytes");
        }

        byte[] bytes = ReadNote(note);
        CoreAuxEntry[] entries = new CoreAuxEntry[bytes.Length / 16];
        for (int i = 0; i < entries.Length; i++)
        {
            ReadOnlySpan<byte> entry = bytes.AsSpan(i * 16, 16);
            entries[i] = new CoreAuxEntry(
                BinaryPrimitives.ReadUInt64LittleEndian(entry), BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]));
        }

        return entries;
    }

    /// <summary>Reads the vendor note.</summary>
    /// <returns>The record, or null where the core has none: an unfinished one of ours, or not ours.</returns>
    /// <exception cref="CoreFormatException">The note is not a record, or above the limits.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public SnapshotRecord? ReadRecord() =>
        FindNote(SnapshotRecord.NoteOwner, SnapshotRecord.NoteType) is { } note
            ? SnapshotRecord.Parse(ReadNote(note, Limits.MaxRecordBytes))
            : null;

    /// <summary>Reads memory of the process, stopping at the first byte that the core does not hold.</summary>
    /// <param name="address">Address of the first byte.</param>
    /// <param name="destination">Receives the bytes; its length is the most that is read.</param>
    /// <returns>Bytes read. Fewer than asked for means that the next address is in no PT_LOAD, or beyond its p_filesz.</returns>
    /// <exception cref="CoreFormatException">A PT_LOAD says that its bytes are past the end of the file.</exception>
    /// <exception cref="IOException">Reading failed.</exception>
    public int Read(ulong address, Span<byte> destination)
    {
        int read = 0;
        while (read < destination.Length)
        {
            ulong at = unchecked(address + (ulong)read);
            if (at < address || FindLoad(at) is not { } load)
            {
                break;
            }

            ulong skip = at - load.Address;
            int length = (int)Math.Min((ulong)(destination.Length - read), load.FileBytes - skip);
            if (load.OffsetBytes > (ulong)LengthBytes || skip > (ulong)LengthBytes - load.OffsetBytes)
            {
                throw new CoreFormatException($"memory at 0x{at:x} is past the end of the file");
            }

            File.Read(load.OffsetBytes + skip, destination.Slice(read, length), $"memory at 0x{at:x}");
            read += length;
        }

        return read;
    }

    /// <summary>Closes the stream, unless it was to be left open.</summary>
    public void Dispose()
    {
        if (!_leaveOpen)
        {
            _stream.Dispose();
        }
    }

    internal static bool IsCore(CoreNote note, uint type) =>
        note.Type == type && string.Equals(note.Owner, ElfAbi.CoreOwner, StringComparison.Ordinal);

    internal CoreNote? FindNote(string owner, uint type)
    {
        foreach (CoreNote note in Notes)
        {
            if (note.Type == type && string.Equals(note.Owner, owner, StringComparison.Ordinal))
            {
                return note;
            }
        }

        return null;
    }

    private static bool IsOfThread(CoreNote note) =>
        string.Equals(note.Owner, ElfAbi.LinuxOwner, StringComparison.Ordinal)
        || IsCore(note, ElfAbi.FloatingPoint) || IsCore(note, ElfAbi.SigInfo);

    private byte[] ReadNote(CoreNote note, int limitBytes)
    {
        if (note.SizeBytes > limitBytes || note.OffsetBytes < 0)
        {
            throw new CoreFormatException($"note {note.Owner} 0x{note.Type:x} of {note.SizeBytes} bytes; the limit is {limitBytes}");
        }

        // A note made up by the caller is compared with the file before its bytes are allocated.
        if (!File.Holds((ulong)note.OffsetBytes, note.SizeBytes))
        {
            throw new CoreFormatException($"note {note.Owner} 0x{note.Type:x} is past the end of the file");
        }

        byte[] bytes = new byte[note.SizeBytes];
        File.Read((ulong)note.OffsetBytes, bytes, "note");
        return bytes;
    }

    private CoreFileThread ReadThread(CoreNote note, List<CoreNote> further)
    {
        // pr_fpvalid ends the structure: 4 bytes and 4 of padding on every 64-bit Linux.
        const int AroundRegisters = X64Notes.RegistersOffset + 8;
        if (note.SizeBytes <= AroundRegisters)
        {
            throw new CoreFormatException($"NT_PRSTATUS of {note.SizeBytes} bytes");
        }

        byte[] status = ReadNote(note, Limits.MaxPrStatusBytes);
        return new CoreFileThread(
            BinaryPrimitives.ReadInt32LittleEndian(status.AsSpan(32)),
            BinaryPrimitives.ReadInt16LittleEndian(status.AsSpan(12)),
            status.AsMemory(X64Notes.RegistersOffset, status.Length - AroundRegisters),
            further);
    }

    private ProgramHeader? FindLoad(ulong address)
    {
        int low = 0;
        int high = _loads.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            ProgramHeader load = _loads[middle];
            if (address < load.Address)
            {
                high = middle - 1;
            }
            else if (address - load.Address >= load.FileBytes)
            {
                low = middle + 1;
            }
            else
            {
                return load;
            }
        }

        return null;
    }
}
