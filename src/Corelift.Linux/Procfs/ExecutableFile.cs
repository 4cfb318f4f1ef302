using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Procfs;

/// <summary>
/// What a process's executable says of itself: machine, build-id, whether the Go tool chain made it. Only the header, the
/// program headers and the notes are read, each within a limit; a file that is no ELF gives an empty answer and no error.
/// </summary>
/// <param name="Machine">ELF machine: 62 x86-64, 3 i386, 183 AArch64; 0 where it is not known.</param>
/// <param name="BuildId">GNU build-id in lower-case hexadecimal; empty without one.</param>
/// <param name="IsGo">Whether it carries Go's build-id note.</param>
public sealed record ExecutableFile(ushort Machine, string BuildId, bool IsGo)
{
    private const int MaxProgramHeaders = 512;
    private const int MaxNoteBytes = 64 * 1024;
    private const int MaxBuildIdBytes = 64;
    private const uint NoteSegment = 4; // PT_NOTE
    private const uint GnuBuildId = 3; // NT_GNU_BUILD_ID
    private const uint GoBuildId = 4; // of owner "Go"

    /// <summary>Nothing known.</summary>
    public static ExecutableFile Unknown { get; } = new(0, string.Empty, false);

    /// <summary>Reads the executable of a task through its <c>exe</c> link.</summary>
    /// <returns><see cref="Unknown"/> where it cannot be read or is no little-endian ELF file.</returns>
    public static ExecutableFile Read(ProcessDirectory directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        try
        {
            using SafeFileHandle file = directory.OpenForReading("exe");
            return Read(file);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return Unknown;
        }
    }

    /// <summary>Reads an open file.</summary>
    /// <exception cref="IOException">Reading failed.</exception>
    public static ExecutableFile Read(SafeFileHandle file)
    {
        Span<byte> header = stackalloc byte[64];
        int length = RandomAccess.Read(file, header, 0);
        if (length < 52 || !header.StartsWith("\u007fELF"u8) || header[5] != 1)
        {
            return Unknown;
        }

        bool wide = header[4] == 2;
        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(header[18..]);
        ulong tableOffset = wide ? ReadUInt64(header, 32) : ReadUInt32(header, 28);
        int entryBytes = BinaryPrimitives.ReadUInt16LittleEndian(header[(wide ? 54 : 42)..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(header[(wide ? 56 : 44)..]);
        if ((wide && length < 64) || entryBytes < (wide ? 56 : 32) || entryBytes > 256 || tableOffset > long.MaxValue / 2)
        {
            return Unknown with { Machine = machine };
        }

        return ReadNotes(file, new Table((long)tableOffset, entryBytes, Math.Min(count, MaxProgramHeaders), wide), machine);
    }

    private static ExecutableFile ReadNotes(SafeFileHandle file, Table table, ushort machine)
    {
        var result = Unknown with { Machine = machine };
        byte[] headers = new byte[table.Count * table.EntryBytes];
        int length = RandomAccess.Read(file, headers, table.Offset);
        for (int at = 0; at + table.EntryBytes <= length; at += table.EntryBytes)
        {
            ReadOnlySpan<byte> entry = headers.AsSpan(at, table.EntryBytes);
            if (ReadUInt32(entry, 0) != NoteSegment)
            {
                continue;
            }

            ulong offset = table.Wide ? ReadUInt64(entry, 8) : ReadUInt32(entry, 4);
            ulong bytes = table.Wide ? ReadUInt64(entry, 32) : ReadUInt32(entry, 16);
            if (offset > long.MaxValue / 2 || bytes > MaxNoteBytes)
            {
                continue;
            }

            byte[] notes = new byte[(int)bytes];
            int got = RandomAccess.Read(file, notes, (long)offset);
            result = Scan(notes.AsSpan(0, got), result);
        }

        return result;
    }

    private static ExecutableFile Scan(ReadOnlySpan<byte> notes, ExecutableFile result)
    {
        while (notes.Length >= 12)
        {
            uint nameBytes = ReadUInt32(notes, 0);
            uint valueBytes = ReadUInt32(notes, 4);
            uint type = ReadUInt32(notes, 8);
            notes = notes[12..];
            if (nameBytes > notes.Length || Align(nameBytes) > notes.Length || valueBytes > notes.Length - Align(nameBytes))
            {
                break;
            }

            ReadOnlySpan<byte> name = notes[..(int)nameBytes];
            ReadOnlySpan<byte> value = notes.Slice(Align(nameBytes), (int)valueBytes);
            if (type == GnuBuildId && name.SequenceEqual("GNU\0"u8) && valueBytes <= MaxBuildIdBytes)
            {
                result = result with { BuildId = Convert.ToHexStringLower(value) };
            }

            result = type == GoBuildId && name.SequenceEqual("Go\0\0"u8) ? result with { IsGo = true } : result;
            notes = notes[Math.Min(notes.Length, Align(nameBytes) + Align(valueBytes))..];
        }

        return result;
    }

    private static int Align(uint length) => (int)((length + 3) & ~3u);

    private static uint ReadUInt32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private static ulong ReadUInt64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);

    private readonly record struct Table(long Offset, int EntryBytes, int Count, bool Wide);
}
