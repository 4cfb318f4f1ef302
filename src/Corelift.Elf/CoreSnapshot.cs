namespace Corelift.Elf;

/// <summary>
/// All that a core says of a process besides its memory: what must be known before the first byte of memory
/// is written, so that a core can go to a pipe.
/// </summary>
public sealed record CoreSnapshot
{
    /// <summary>ELF machine of the target: 62 (EM_X86_64) is the only one the writer knows.</summary>
    public required ushort Machine { get; init; }

    /// <summary>Page size in bytes; a power of two.</summary>
    public required int PageSizeBytes { get; init; }

    /// <summary>Facts of the process, for NT_PRPSINFO and the pid fields of NT_PRSTATUS.</summary>
    public required CoreProcess Process { get; init; }

    /// <summary>The tasks; the first is the one that debuggers show first. Not empty.</summary>
    public required IReadOnlyList<CoreThread> Threads { get; init; }

    /// <summary>The VMAs in ascending order of address, without overlap.</summary>
    public required IReadOnlyList<CoreVma> Vmas { get; init; }

    /// <summary>The auxiliary vector as the kernel keeps it, for NT_AUXV.</summary>
    public required ReadOnlyMemory<byte> Auxv { get; init; }
}

/// <summary>Facts of a process (elf_prpsinfo in the kernel's include/linux/elfcore.h).</summary>
public sealed record CoreProcess
{
    /// <summary>State letter as in field 3 of /proc/PID/stat.</summary>
    public required char State { get; init; }

    /// <summary>Nice value, -20 to 19.</summary>
    public required sbyte Nice { get; init; }

    /// <summary>Kernel task flags (field 9 of stat).</summary>
    public required ulong Flags { get; init; }

    /// <summary>Real uid.</summary>
    public required uint Uid { get; init; }

    /// <summary>Real gid.</summary>
    public required uint Gid { get; init; }

    /// <summary>Thread-group id.</summary>
    public required int Pid { get; init; }

    /// <summary>Parent's pid.</summary>
    public required int ParentPid { get; init; }

    /// <summary>Process group.</summary>
    public required int ProcessGroup { get; init; }

    /// <summary>Session.</summary>
    public required int Session { get; init; }

    /// <summary>Name (comm); at most 15 bytes are written.</summary>
    public required ReadOnlyMemory<byte> Name { get; init; }

    /// <summary>Command line with spaces between arguments; at most 79 bytes are written.</summary>
    public required ReadOnlyMemory<byte> Arguments { get; init; }
}

/// <summary>One task of a core.</summary>
public sealed record CoreThread
{
    /// <summary>Thread id.</summary>
    public required int Tid { get; init; }

    /// <summary>Register sets as the kernel gave them. NT_PRSTATUS (1) here is user_regs_struct alone and must be there.</summary>
    public required IReadOnlyList<CoreRegisterSet> RegisterSets { get; init; }

    /// <summary>siginfo_t of the stop for NT_SIGINFO, or empty.</summary>
    public ReadOnlyMemory<byte> SigInfo { get; init; }

    /// <summary>Signal that was being delivered, or 0.</summary>
    public int CurrentSignal { get; init; }

    /// <summary>Pending signals, bit n-1 for signal n.</summary>
    public ulong PendingSignals { get; init; }

    /// <summary>Blocked signals, bit n-1 for signal n.</summary>
    public ulong BlockedSignals { get; init; }

    /// <summary>User time used.</summary>
    public TimeSpan UserTime { get; init; }

    /// <summary>System time used.</summary>
    public TimeSpan SystemTime { get; init; }
}

/// <summary>One register set: the bytes of PTRACE_GETREGSET for one note type (elf.h, NT_*).</summary>
public readonly record struct CoreRegisterSet(uint NoteType, ReadOnlyMemory<byte> Bytes);

/// <summary>Permissions of a VMA; the values are those of ELF program header flags (PF_X 1, PF_W 2, PF_R 4).</summary>
[Flags]
public enum CoreVmaFlags
{
    /// <summary>No access.</summary>
    None = 0,

    /// <summary>PF_X.</summary>
    Execute = 1,

    /// <summary>PF_W.</summary>
    Write = 2,

    /// <summary>PF_R.</summary>
    Read = 4,
}

/// <summary>One VMA: half-open range, permissions, mapped file, and the regions it consists of.</summary>
public sealed record CoreVma
{
    /// <summary>First address; page-aligned.</summary>
    public required ulong Start { get; init; }

    /// <summary>First address after it; page-aligned.</summary>
    public required ulong End { get; init; }

    /// <summary>Permissions.</summary>
    public required CoreVmaFlags Flags { get; init; }

    /// <summary>Path of the mapped file for NT_FILE, or empty for anonymous memory and pseudo-paths ("[heap]").</summary>
    public string Path { get; init; } = "";

    /// <summary>Offset of the mapping in the file, in bytes.</summary>
    public ulong FileOffsetBytes { get; init; }

    /// <summary>Regions from <see cref="Start"/> to <see cref="End"/> without gap or overlap.</summary>
    public required IReadOnlyList<CoreRegion> Regions { get; init; }
}

/// <summary>A part of a VMA: with bytes in the core (absent pages are zero), or without any.</summary>
/// <param name="Start">First address; page-aligned.</param>
/// <param name="End">First address after it; page-aligned.</param>
/// <param name="HasBytes">Whether the core holds its bytes (p_filesz = p_memsz) or not (p_filesz 0).</param>
public readonly record struct CoreRegion(ulong Start, ulong End, bool HasBytes);
