namespace Corelift.Elf;

/// <summary>One program header (Elf64_Phdr) as it stands in the file; nothing about it has been checked.</summary>
/// <param name="Type">p_type: 1 is PT_LOAD, 4 is PT_NOTE.</param>
/// <param name="Flags">p_flags.</param>
/// <param name="OffsetBytes">p_offset.</param>
/// <param name="Address">p_vaddr.</param>
/// <param name="FileBytes">p_filesz: bytes in the file.</param>
/// <param name="MemoryBytes">p_memsz: bytes of address space.</param>
/// <param name="AlignBytes">p_align.</param>
public readonly record struct ProgramHeader(
    uint Type, CoreVmaFlags Flags, ulong OffsetBytes, ulong Address, ulong FileBytes, ulong MemoryBytes, ulong AlignBytes)
{
    /// <summary>Whether it describes memory (PT_LOAD).</summary>
    public bool IsLoad => Type == ElfAbi.Load;

    /// <summary>Whether it holds notes (PT_NOTE).</summary>
    public bool IsNote => Type == ElfAbi.Note;
}

/// <summary>Where a note stands. Its description lies wholly in the file.</summary>
/// <param name="Owner">Owner name without its NUL; bytes that are not ASCII are shown as '?'.</param>
/// <param name="Type">Note type, which means something only together with the owner.</param>
/// <param name="OffsetBytes">Offset of the description in the file.</param>
/// <param name="SizeBytes">Length of the description; not compared with any limit.</param>
public readonly record struct CoreNote(string Owner, uint Type, long OffsetBytes, uint SizeBytes);

/// <summary>One thread of a core: a NT_PRSTATUS and the notes up to the next one.</summary>
/// <param name="Tid">Thread id (pr_pid).</param>
/// <param name="CurrentSignal">Signal that was being delivered (pr_cursig), or 0.</param>
/// <param name="GeneralRegisters">pr_reg: user_regs_struct on x86-64.</param>
/// <param name="Notes">Its further register sets and siginfo.</param>
public sealed record CoreFileThread(
    int Tid, int CurrentSignal, ReadOnlyMemory<byte> GeneralRegisters, IReadOnlyList<CoreNote> Notes);

/// <summary>One entry of NT_FILE.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">First address after it.</param>
/// <param name="OffsetBytes">Offset in the file, in bytes.</param>
/// <param name="Path">The path; bytes that are not UTF-8 are replaced by U+FFFD.</param>
public readonly record struct CoreMappedFile(ulong Start, ulong End, ulong OffsetBytes, string Path);

/// <summary>One entry of the auxiliary vector (getauxval(3)).</summary>
/// <param name="Type">AT_*; 0 is AT_NULL, the end.</param>
/// <param name="Value">Its value.</param>
public readonly record struct CoreAuxEntry(ulong Type, ulong Value);
