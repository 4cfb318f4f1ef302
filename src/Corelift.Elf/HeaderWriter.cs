using System.Buffers.Binary;
using System.Text;

namespace Corelift.Elf;

/// <summary>
/// Writes ELF header, program headers, section header 0 and notes, in order and through one small buffer. Seeks only where
/// the tables do not follow the ELF header. Leaves the padding up to the next part to the caller.
/// </summary>
internal sealed class HeaderWriter(Stream destination, CoreLayout layout)
{
    private const int BufferBytes = 64 * 1024;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _used;

    internal void Write()
    {
        WriteElfHeader();
        if (layout.TablesOffset != ElfAbi.HeaderBytes)
        {
            Flush();
            destination.Position = layout.TablesOffset;
        }

        WriteProgramHeaders();
        if (layout.CountsInSection)
        {
            Span<byte> section = Reserve(ElfAbi.SectionHeaderBytes); // SHT_NULL
            BinaryPrimitives.WriteUInt64LittleEndian(section[32..], 1); // sh_size: the number of sections
            BinaryPrimitives.WriteUInt32LittleEndian(section[44..], (uint)layout.HeaderCount); // sh_info
        }

        foreach (OutgoingNote note in layout.Notes.Enumerate())
        {
            WriteNoteHeader(Reserve(NoteHeadBytes(note.Owner)), note.Owner, note.Type, note.Description.Length);
            Append(note.Description.Span);
            long padded = ElfAbi.AlignUp(note.Description.Length, ElfAbi.NoteAlignmentBytes);
            _ = Reserve((int)(padded - note.Description.Length));
        }

        Flush();
    }

    /// <summary>Bytes of a note before its description.</summary>
    internal static int NoteHeadBytes(string owner) => (int)ElfAbi.NoteSizeBytes(owner, 0);

    /// <summary>Writes Elf64_Nhdr and the owner's name into <paramref name="head"/>, which is zeroed.</summary>
    internal static void WriteNoteHeader(Span<byte> head, string owner, uint type, int descriptionBytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)owner.Length + 1);
        BinaryPrimitives.WriteUInt32LittleEndian(head[4..], (uint)descriptionBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], type);
        Encoding.ASCII.GetBytes(owner, head[ElfAbi.NoteHeaderBytes..]);
    }

    private void WriteElfHeader()
    {
        Span<byte> h = Reserve(ElfAbi.HeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(h, ElfAbi.Magic);
        h[4] = ElfAbi.Class64;
        h[5] = ElfAbi.LittleEndian;
        h[6] = ElfAbi.CurrentVersion;
        BinaryPrimitives.WriteUInt16LittleEndian(h[16..], ElfAbi.TypeCore);
        BinaryPrimitives.WriteUInt16LittleEndian(h[18..], layout.Snapshot.Machine);
        BinaryPrimitives.WriteUInt32LittleEndian(h[20..], ElfAbi.CurrentVersion);
        BinaryPrimitives.WriteUInt64LittleEndian(h[32..], (ulong)layout.TablesOffset); // e_phoff
        BinaryPrimitives.WriteUInt64LittleEndian(h[40..], layout.CountsInSection ? (ulong)layout.SectionHeaderOffset : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(h[52..], ElfAbi.HeaderBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(h[54..], ElfAbi.ProgramHeaderBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(
            h[56..], layout.CountsInSection ? ElfAbi.ManyHeaders : (ushort)layout.HeaderCount);
        BinaryPrimitives.WriteUInt16LittleEndian(h[58..], (ushort)(layout.CountsInSection ? ElfAbi.SectionHeaderBytes : 0));
        BinaryPrimitives.WriteUInt16LittleEndian(h[60..], (ushort)(layout.CountsInSection ? 1 : 0)); // e_shnum
    }

    private void WriteProgramHeaders()
    {
        // p_memsz of a note is 0, as the kernel and gdb have it: it is no memory.
        WriteProgramHeader(
            ElfAbi.Note, 0, layout.NotesOffset, 0, (ulong)layout.Notes.SizeBytes, 0, ElfAbi.NoteAlignmentBytes);
        long end = layout.MemoryOffset; // where bytes would stand of a segment that has none
        foreach (PlannedLoad load in layout.Loads)
        {
            ulong fileBytes = load.HasBytes ? load.SizeBytes : 0;
            long offset = load.HasBytes ? layout.OffsetOf(load.Start) : end;
            WriteProgramHeader(
                ElfAbi.Load, (uint)load.Flags & 7, offset, load.Start, fileBytes, load.SizeBytes, layout.PageSizeBytes);
            end = offset + (long)fileBytes;
        }

        WriteProgramHeader(
            ElfAbi.Note, 0, layout.VendorNoteOffset, 0, (ulong)layout.VendorNoteSizeBytes, 0, ElfAbi.NoteAlignmentBytes);
    }

    private void WriteProgramHeader(uint type, uint flags, long offset, ulong address, ulong fileBytes, ulong memoryBytes, int align)
    {
        Span<byte> p = Reserve(ElfAbi.ProgramHeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(p, type);
        BinaryPrimitives.WriteUInt32LittleEndian(p[4..], flags);
        BinaryPrimitives.WriteInt64LittleEndian(p[8..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(p[16..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(p[32..], fileBytes); // p_paddr stays 0
        BinaryPrimitives.WriteUInt64LittleEndian(p[40..], memoryBytes);
        BinaryPrimitives.WriteInt64LittleEndian(p[48..], align);
    }

    /// <summary>Room for the next bytes, zeroed. At most <see cref="BufferBytes"/>.</summary>
    private Span<byte> Reserve(int lengthBytes)
    {
        if (lengthBytes > BufferBytes - _used)
        {
            Flush();
        }

        Span<byte> room = _buffer.AsSpan(_used, lengthBytes);
        room.Clear();
        _used += lengthBytes;
        return room;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > BufferBytes - _used)
        {
            Flush();
        }

        if (bytes.Length > BufferBytes)
        {
            destination.Write(bytes);
            return;
        }

        bytes.CopyTo(_buffer.AsSpan(_used));
        _used += bytes.Length;
    }

    private void Flush()
    {
        destination.Write(_buffer.AsSpan(0, _used));
        _used = 0;
    }
}
