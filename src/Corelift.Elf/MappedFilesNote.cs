using System.Buffers.Binary;
using System.Text;

namespace Corelift.Elf;

/// <summary>
/// NT_FILE: count, page size, then start, end and page offset of each mapping, then the names, each ended by a NUL.
/// Source: fill_files_note in the kernel's fs/binfmt_elf.c.
/// </summary>
internal static class MappedFilesNote
{
    internal const int HeaderBytes = 16;
    internal const int EntryBytes = 24;

    private readonly record struct Entry(ulong Start, ulong End, ulong OffsetBytes, string Path);

    /// <summary>Composes the note's description from the VMAs that have a path.</summary>
    /// <exception cref="CoreFormatException">A path contains a NUL, or the note would pass 1 GiB.</exception>
    internal static byte[] Compose(CoreSnapshot snapshot, int mergeAbove)
    {
        List<Entry> entries = Collect(snapshot.Vmas, merge: false);
        if (entries.Count > mergeAbove)
        {
            entries = Collect(snapshot.Vmas, merge: true);
        }

        long length = HeaderBytes;
        foreach (Entry entry in entries)
        {
            if (entry.Path.Contains('\0', StringComparison.Ordinal))
            {
                throw new CoreFormatException($"path of the mapping at 0x{entry.Start:x} contains a NUL");
            }

            length += EntryBytes + Encoding.UTF8.GetByteCount(entry.Path) + 1;
        }

        if (length > 1 << 30)
        {
            throw new CoreFormatException($"NT_FILE would take {length} bytes");
        }

        byte[] note = new byte[length];
        Fill(note, entries, (ulong)snapshot.PageSizeBytes);
        return note;
    }

    private static void Fill(Span<byte> note, List<Entry> entries, ulong pageSizeBytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(note, (ulong)entries.Count);
        BinaryPrimitives.WriteUInt64LittleEndian(note[8..], pageSizeBytes);
        Span<byte> table = note[HeaderBytes..];
        Span<byte> names = table[(entries.Count * EntryBytes)..];
        foreach (Entry entry in entries)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(table, entry.Start);
            BinaryPrimitives.WriteUInt64LittleEndian(table[8..], entry.End);
            BinaryPrimitives.WriteUInt64LittleEndian(table[16..], entry.OffsetBytes / pageSizeBytes);
            table = table[EntryBytes..];
            names = names[(Encoding.UTF8.GetBytes(entry.Path, names) + 1)..];
        }
    }

    private static List<Entry> Collect(IReadOnlyList<CoreVma> vmas, bool merge)
    {
        List<Entry> entries = [];
        foreach (CoreVma vma in vmas)
        {
            if (vma.Path.Length == 0)
            {
                continue;
            }

            if (merge && entries.Count > 0 && Continues(entries[^1], vma))
            {
                entries[^1] = entries[^1] with { End = vma.End };
            }
            else
            {
                entries.Add(new Entry(vma.Start, vma.End, vma.FileOffsetBytes, vma.Path));
            }
        }

        return entries;
    }

    private static bool Continues(Entry last, CoreVma next) =>
        last.End == next.Start
        && unchecked(last.OffsetBytes + (last.End - last.Start)) == next.FileOffsetBytes
        && string.Equals(last.Path, next.Path, StringComparison.Ordinal);
}
