namespace Corelift.Elf;

/// <summary>Numbers of the format. Sources: elf.h, elf(5), and include/uapi/linux/elf.h of the kernel.</summary>
internal static class ElfAbi
{
    internal const int HeaderBytes = 64;        // sizeof(Elf64_Ehdr)
    internal const int ProgramHeaderBytes = 56; // sizeof(Elf64_Phdr)
    internal const int SectionHeaderBytes = 64; // sizeof(Elf64_Shdr)
    internal const int NoteHeaderBytes = 12;    // sizeof(Elf64_Nhdr)
    internal const int NoteAlignmentBytes = 4;  // of Linux cores, in spite of the 8 of the ELF64 specification

    internal const uint Magic = 0x464c457f;     // "\x7fELF", little-endian
    internal const byte Class64 = 2;            // ELFCLASS64
    internal const byte LittleEndian = 1;       // ELFDATA2LSB
    internal const byte CurrentVersion = 1;     // EV_CURRENT
    internal const ushort TypeCore = 4;         // ET_CORE
    internal const ushort MachineX64 = 62;      // EM_X86_64
    internal const ushort ManyHeaders = 0xffff; // PN_XNUM: the count stands in sh_info of section header 0

    internal const uint Load = 1;               // PT_LOAD
    internal const uint Note = 4;               // PT_NOTE
    internal const ulong AuxvEnd = 0;           // AT_NULL

    internal const string CoreOwner = "CORE";
    internal const string LinuxOwner = "LINUX";

    internal const uint PrStatus = 1;           // NT_PRSTATUS
    internal const uint FloatingPoint = 2;      // NT_PRFPREG
    internal const uint PrPsInfo = 3;           // NT_PRPSINFO
    internal const uint Auxv = 6;               // NT_AUXV
    internal const uint XState = 0x202;         // NT_X86_XSTATE
    internal const uint SigInfo = 0x53494749;   // NT_SIGINFO
    internal const uint MappedFiles = 0x46494c45; // NT_FILE

    /// <summary>Rounds up to a multiple of <paramref name="alignment"/>, a power of two.</summary>
    internal static long AlignUp(long value, long alignment) => (value + alignment - 1) & ~(alignment - 1);

    /// <summary>Bytes that a note takes in its segment: header, name with its NUL, description, both padded.</summary>
    internal static long NoteSizeBytes(string owner, long descriptionBytes) =>
        NoteHeaderBytes + AlignUp(owner.Length + 1, NoteAlignmentBytes) + AlignUp(descriptionBytes, NoteAlignmentBytes);
}
