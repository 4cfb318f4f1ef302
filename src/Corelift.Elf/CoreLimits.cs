namespace Corelift.Elf;

/// <summary>
/// How much of a core a reader takes before it calls the file absurd. A core is untrusted input; every count in it is
/// compared with one of these, and with the length of the file, before anything is allocated for it.
/// </summary>
public sealed record CoreLimits
{
    /// <summary>Most program headers; 56 bytes of memory each.</summary>
    public int MaxProgramHeaders { get; init; } = 1_000_000;

    /// <summary>Most PT_NOTE segments.</summary>
    public int MaxNoteSegments { get; init; } = 64;

    /// <summary>Most notes in all segments together.</summary>
    public int MaxNotes { get; init; } = 1_000_000;

    /// <summary>Longest owner name of a note in bytes, its NUL included.</summary>
    public int MaxNoteOwnerBytes { get; init; } = 64;

    /// <summary>Longest description of a note that is read into memory as a whole.</summary>
    public int MaxNoteBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Most threads.</summary>
    public int MaxThreads { get; init; } = 200_000;

    /// <summary>Longest NT_PRSTATUS in bytes.</summary>
    public int MaxPrStatusBytes { get; init; } = 4096;

    /// <summary>Most entries of NT_FILE.</summary>
    public int MaxMappedFiles { get; init; } = 1_000_000;

    /// <summary>Longest path of NT_FILE in bytes.</summary>
    public int MaxPathBytes { get; init; } = 8192;

    /// <summary>Most entries of NT_AUXV.</summary>
    public int MaxAuxvEntries { get; init; } = 1024;

    /// <summary>Longest JSON of the vendor note in bytes.</summary>
    public int MaxRecordBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Most findings of one kind that <see cref="CoreVerifier"/> lists one by one; the others are counted.</summary>
    public int MaxFindingsPerKind { get; init; } = 10;
}
