namespace Corelift.Elf;

/// <summary>One note to write.</summary>
internal readonly record struct OutgoingNote(string Owner, uint Type, ReadOnlyMemory<byte> Description)
{
    internal long SizeBytes => ElfAbi.NoteSizeBytes(Owner, Description.Length);
}

/// <summary>
/// The standard notes of a core in the kernel's order: NT_PRSTATUS of the first thread, NT_PRPSINFO, NT_SIGINFO, NT_AUXV,
/// NT_FILE, the first thread's other sets, then each further thread. Enumerated twice, once to add up and once to
/// write, so that 10,000 threads need no list of their notes. Source: fs/binfmt_elf.c, write_note_info.
/// </summary>
internal sealed class NoteSequence
{
    private readonly CoreSnapshot _snapshot;
    private readonly byte[] _prPsInfo;
    private readonly byte[] _mappedFiles;

    internal NoteSequence(CoreSnapshot snapshot, CoreWriterOptions options)
    {
        _snapshot = snapshot;
        _prPsInfo = X64Notes.PrPsInfo(snapshot.Process);
        _mappedFiles = MappedFilesNote.Compose(snapshot, options.MergeMappedFilesAbove);
        foreach (OutgoingNote note in Enumerate())
        {
            SizeBytes += note.SizeBytes;
        }
    }

    /// <summary>Bytes of the segment.</summary>
    internal long SizeBytes { get; }

    internal IEnumerable<OutgoingNote> Enumerate()
    {
        bool first = true;
        foreach (CoreThread thread in _snapshot.Threads)
        {
            yield return Core(ElfAbi.PrStatus, X64Notes.PrStatus(_snapshot.Process, thread, GeneralRegisters(thread).Span));
            if (first)
            {
                yield return Core(ElfAbi.PrPsInfo, _prPsInfo);
            }

            if (!thread.SigInfo.IsEmpty)
            {
                yield return Core(ElfAbi.SigInfo, thread.SigInfo);
            }

            if (first)
            {
                yield return Core(ElfAbi.Auxv, _snapshot.Auxv);
                yield return Core(ElfAbi.MappedFiles, _mappedFiles);
            }

            first = false;
            if (FloatingPoint(thread) is { IsEmpty: false } floatingPoint)
            {
                yield return Core(ElfAbi.FloatingPoint, floatingPoint);
            }

            foreach (CoreRegisterSet set in thread.RegisterSets)
            {
                if (set.NoteType is not (ElfAbi.PrStatus or ElfAbi.FloatingPoint))
                {
                    yield return new OutgoingNote(ElfAbi.LinuxOwner, set.NoteType, set.Bytes);
                }
            }
        }
    }

    /// <summary>The general registers; the layout has checked that they are there.</summary>
    internal static ReadOnlyMemory<byte> GeneralRegisters(CoreThread thread) => Find(thread, ElfAbi.PrStatus);

    private static ReadOnlyMemory<byte> FloatingPoint(CoreThread thread)
    {
        ReadOnlyMemory<byte> own = Find(thread, ElfAbi.FloatingPoint);
        return own.IsEmpty ? X64Notes.FloatingPointFromXState(Find(thread, ElfAbi.XState).Span) : own;
    }

    private static ReadOnlyMemory<byte> Find(CoreThread thread, uint noteType)
    {
        foreach (CoreRegisterSet set in thread.RegisterSets)
        {
            if (set.NoteType == noteType)
            {
                return set.Bytes;
            }
        }

        return default;
    }

    private static OutgoingNote Core(uint type, ReadOnlyMemory<byte> description) => new(ElfAbi.CoreOwner, type, description);
}
