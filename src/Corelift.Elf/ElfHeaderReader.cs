using System.Buffers.Binary;

namespace Corelift.Elf;

/// <summary>Reads ELF header and program headers of an untrusted file.</summary>
internal static class ElfHeaderReader
{
    /// <exception cref="CoreFormatException">Not a 64-bit little-endian core, or the table is cut or absurd.</exception>
    internal static ProgramHeader[] Read(FileWindow file, CoreLimits limits, out ushort machine)
    {
        Span<byte> h = stackalloc byte[ElfAbi.HeaderBytes];
        file.Read(0, h, "ELF header");
        Require(BinaryPrimitives.ReadUInt32LittleEndian(h) == ElfAbi.Magic, "not an ELF file");
        Require(h[4] == ElfAbi.Class64 && h[5] == ElfAbi.LittleEndian, "not a 64-bit little-endian ELF file");
        Require(BinaryPrimitives.ReadUInt16LittleEndian(h[16..]) == ElfAbi.TypeCore, "an ELF file, but not a core");
        machine = BinaryPrimitives.ReadUInt16LittleEndian(h[18..]);
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(h[32..]);
        ushort headerBytes = BinaryPrimitives.ReadUInt16LittleEndian(h[54..]);
        Require(headerBytes == ElfAbi.ProgramHeaderBytes, $"program headers of {headerBytes} bytes, not 56");

        uint count = BinaryPrimitives.ReadUInt16LittleEndian(h[56..]);
        if (count == ElfAbi.ManyHeaders)
        {
            count = CountInSection(file, BinaryPrimitives.ReadUInt64LittleEndian(h[40..]));
        }

        Require(count <= limits.MaxProgramHeaders, $"{count} program headers; the limit is {limits.MaxProgramHeaders}");
        ulong tableBytes = (ulong)count * ElfAbi.ProgramHeaderBytes;
        Require(file.Holds(offset, tableBytes), $"{count} program headers at offset {offset} are past the end of the file");
        return ReadTable(file, offset, (int)count);
    }

    /// <summary>e_phnum is PN_XNUM: the count stands in sh_info of section header 0 (elf(5)).</summary>
    private static uint CountInSection(FileWindow file, ulong offset)
    {
        Require(offset != 0, "e_phnum is PN_XNUM, but there is no section header with the count");
        Span<byte> section = stackalloc byte[ElfAbi.SectionHeaderBytes];
        file.Read(offset, section, "section header 0");
        return BinaryPrimitives.ReadUInt32LittleEndian(section[44..]);
    }

    private static ProgramHeader[] ReadTable(FileWindow file, ulong offset, int count)
    {
        ProgramHeader[] table = new ProgramHeader[count];
        Span<byte> p = stackalloc byte[ElfAbi.ProgramHeaderBytes];
        for (int i = 0; i < count; i++)
        {
            file.Read(offset + ((ulong)i * ElfAbi.ProgramHeaderBytes), p, "program header");
            table[i] = new ProgramHeader(
                Type: BinaryPrimitives.ReadUInt32LittleEndian(p),
                Flags: (CoreVmaFlags)(BinaryPrimitives.ReadUInt32LittleEndian(p[4..]) & 7),
                OffsetBytes: BinaryPrimitives.ReadUInt64LittleEndian(p[8..]),
                Address: BinaryPrimitives.ReadUInt64LittleEndian(p[16..]),
                FileBytes: BinaryPrimitives.ReadUInt64LittleEndian(p[32..]),
                MemoryBytes: BinaryPrimitives.ReadUInt64LittleEndian(p[40..]),
                AlignBytes: BinaryPrimitives.ReadUInt64LittleEndian(p[48..]));
        }

        return table;
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new CoreFormatException(otherwise);
        }
    }
}
