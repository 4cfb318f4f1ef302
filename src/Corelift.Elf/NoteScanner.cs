using System.Buffers.Binary;
using System.Text;

namespace Corelift.Elf;

/// <summary>
/// Finds the notes of an untrusted file. A cut or senseless segment ends the scan of that segment and is told as damage,
/// so that what stands before it can still be read; only absurd counts are thrown.
/// </summary>
internal sealed class NoteScanner(FileWindow file, CoreLimits limits)
{
    private readonly List<CoreNote> _notes = [];
    private readonly List<string> _damage = [];
    private string _lastOwner = "";

    internal IReadOnlyList<CoreNote> Notes => _notes;

    internal IReadOnlyList<string> Damage => _damage;

    /// <exception cref="CoreFormatException">More segments or notes than the limits allow.</exception>
    internal void Scan(IEnumerable<ProgramHeader> headers)
    {
        int segments = 0;
        foreach (ProgramHeader header in headers)
        {
            if (!header.IsNote)
            {
                continue;
            }

            if (++segments > limits.MaxNoteSegments)
            {
                throw new CoreFormatException($"more than {limits.MaxNoteSegments} note segments");
            }

            ScanSegment(header);
        }
    }

    private void ScanSegment(ProgramHeader segment)
    {
        if (segment.OffsetBytes > (ulong)file.LengthBytes)
        {
            _damage.Add($"note segment at offset {segment.OffsetBytes} lies past the end of the file");
            return;
        }

        // From here on everything is below the file's length, so sums of two 32-bit sizes with it cannot overflow.
        ulong room = (ulong)file.LengthBytes - segment.OffsetBytes;
        ulong sizeBytes = Math.Min(segment.FileBytes, room);
        if (segment.FileBytes > room)
        {
            _damage.Add($"note segment at offset {segment.OffsetBytes} is cut: {room} of {segment.FileBytes} bytes");
        }

        ulong at = segment.OffsetBytes;
        ulong end = at + sizeBytes;
        Span<byte> head = stackalloc byte[ElfAbi.NoteHeaderBytes];
        while (end - at >= ElfAbi.NoteHeaderBytes)
        {
            file.Read(at, head, "note");
            uint ownerBytes = BinaryPrimitives.ReadUInt32LittleEndian(head);
            uint descriptionBytes = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
            ulong description = at + ElfAbi.NoteHeaderBytes + AlignUp(ownerBytes);
            if (ownerBytes > limits.MaxNoteOwnerBytes || description + descriptionBytes > end)
            {
                _damage.Add($"note at offset {at} does not fit its segment");
                return;
            }

            if (_notes.Count >= limits.MaxNotes)
            {
                throw new CoreFormatException($"more than {limits.MaxNotes} notes");
            }

            string owner = ReadOwner(at + ElfAbi.NoteHeaderBytes, (int)ownerBytes);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(head[8..]);
            _notes.Add(new CoreNote(owner, type, (long)description, descriptionBytes));
            at = Math.Min(end, description + AlignUp(descriptionBytes)); // the last one's padding may be missing
        }
    }

    private string ReadOwner(ulong offset, int ownerBytes)
    {
        if (ownerBytes == 0)
        {
            return "";
        }

        byte[] bytes = new byte[ownerBytes];
        file.Read(offset, bytes, "owner of a note");
        int length = Array.IndexOf(bytes, (byte)0);
        ReadOnlySpan<byte> name = bytes.AsSpan(0, length < 0 ? ownerBytes : length);
        if (!Ascii.Equals(name, _lastOwner))
        {
            _lastOwner = Encoding.ASCII.GetString(name); // owners repeat: one string for a run of them
        }

        return _lastOwner;
    }

    private static ulong AlignUp(uint value) => ((ulong)value + ElfAbi.NoteAlignmentBytes - 1) & ~3UL;
}
