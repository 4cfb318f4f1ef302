using System.Buffers.Binary;
using System.Text;

namespace Corelift.Elf;

/// <summary>Parses NT_FILE of an untrusted core; see <see cref="MappedFilesNote"/> for the layout.</summary>
internal static class MappedFilesParser
{
    /// <exception cref="CoreFormatException">Counts, offsets or names do not add up, or are above the limits.</exception>
    internal static CoreMappedFile[] Parse(ReadOnlySpan<byte> note, CoreLimits limits)
    {
        if (note.Length < MappedFilesNote.HeaderBytes)
        {
            throw new CoreFormatException($"NT_FILE of {note.Length} bytes");
        }

        ulong count = BinaryPrimitives.ReadUInt64LittleEndian(note);
        ulong pageSizeBytes = BinaryPrimitives.ReadUInt64LittleEndian(note[8..]);
        ReadOnlySpan<byte> table = note[MappedFilesNote.HeaderBytes..];
        if (count > (ulong)limits.MaxMappedFiles || count > (ulong)(table.Length / MappedFilesNote.EntryBytes))
        {
            throw new CoreFormatException($"NT_FILE claims {count} entries in {note.Length} bytes");
        }

        CoreMappedFile[] files = new CoreMappedFile[count];
        ReadOnlySpan<byte> names = table[(files.Length * MappedFilesNote.EntryBytes)..];
        for (int i = 0; i < files.Length; i++)
        {
            files[i] = ParseEntry(table[(i * MappedFilesNote.EntryBytes)..], pageSizeBytes, ref names, limits, i);
        }

        return files;
    }

    private static CoreMappedFile ParseEntry(
        ReadOnlySpan<byte> entry, ulong pageSizeBytes, ref ReadOnlySpan<byte> names, CoreLimits limits, int index)
    {
        ulong pageOffset = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
        UInt128 offsetBytes = (UInt128)pageOffset * pageSizeBytes;
        int length = names.IndexOf((byte)0);
        if (length < 0 || length > limits.MaxPathBytes || offsetBytes > ulong.MaxValue)
        {
            throw new CoreFormatException($"NT_FILE entry {index}: its name or its offset is not sound");
        }

        string path = Encoding.UTF8.GetString(names[..length]);
        names = names[(length + 1)..];
        return new CoreMappedFile(
            BinaryPrimitives.ReadUInt64LittleEndian(entry),
            BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
            (ulong)offsetBytes,
            path);
    }
}
