namespace Corelift.Elf;

/// <summary>Checks of the notes: which must be there, their sizes, and that they agree with the PT_LOADs.</summary>
internal static class NoteChecks
{
    internal static void Run(CoreFile core, FindingList findings, bool isOurs)
    {
        CheckRequired(core, findings);
        if (core.Machine == ElfAbi.MachineX64)
        {
            CheckSizes(core, findings);
        }

        Try(findings, "thread-status", () => CheckThreads(core, findings));
        Try(findings, "auxv", () => CheckAuxv(core, findings));
        Try(findings, "mapped-files", () => CheckMappedFiles(core, findings, isOurs));
    }

    private static void Try(FindingList findings, string kind, Action check)
    {
        try
        {
            check();
        }
        catch (CoreFormatException failure)
        {
            findings.Error(kind, failure.Message);
        }
    }

    private static void CheckRequired(CoreFile core, FindingList findings)
    {
        (uint Type, string Name)[] required =
            [(ElfAbi.PrStatus, "NT_PRSTATUS"), (ElfAbi.PrPsInfo, "NT_PRPSINFO"), (ElfAbi.Auxv, "NT_AUXV"), (ElfAbi.MappedFiles, "NT_FILE")];
        foreach ((uint type, string name) in required)
        {
            int count = core.Notes.Count(n => CoreFile.IsCore(n, type));
            if (count == 0)
            {
                findings.Error("required-note", $"no {name}");
            }
            else if (count > 1 && type != ElfAbi.PrStatus)
            {
                findings.Warning("required-note", $"{count} notes {name}: readers will take one of them");
            }
        }
    }

    private static void CheckSizes(CoreFile core, FindingList findings)
    {
        foreach (CoreNote note in core.Notes)
        {
            if (string.Equals(note.Owner, ElfAbi.CoreOwner, StringComparison.Ordinal))
            {
                uint expected = note.Type switch
                {
                    ElfAbi.PrStatus => X64Notes.PrStatusBytes,
                    ElfAbi.PrPsInfo => X64Notes.PrPsInfoBytes,
                    ElfAbi.FloatingPoint => X64Notes.FloatingPointBytes,
                    ElfAbi.SigInfo => X64Notes.SigInfoBytes,
                    _ => note.SizeBytes,
                };
                if (note.SizeBytes != expected)
                {
                    findings.Error("note-size", $"note CORE 0x{note.Type:x} has {note.SizeBytes} bytes, not {expected}");
                }
            }
            else if (note.Type == ElfAbi.XState && string.Equals(note.Owner, ElfAbi.LinuxOwner, StringComparison.Ordinal)
                && note.SizeBytes < X64Notes.XStateLeastBytes)
            {
                findings.Error("note-size", $"NT_X86_XSTATE has {note.SizeBytes} bytes; at least 576 are needed");
            }
        }
    }

    private static void CheckThreads(CoreFile core, FindingList findings)
    {
        HashSet<int> tids = [];
        int withoutFloatingPoint = 0;
        foreach (CoreFileThread thread in core.ReadThreads())
        {
            if (thread.Tid <= 0 || !tids.Add(thread.Tid))
            {
                findings.Error("thread-status", $"thread {thread.Tid} is not a thread id, or is there twice");
            }

            foreach (IGrouping<uint, CoreNote> set in thread.Notes.GroupBy(n => n.Type).Where(g => g.Count() > 1))
            {
                findings.Error("thread-status", $"after the NT_PRSTATUS of thread {thread.Tid}, note 0x{set.Key:x} is there {set.Count()} times: one thread lacks its NT_PRSTATUS");
            }

            withoutFloatingPoint += thread.Notes.Any(n => CoreFile.IsCore(n, ElfAbi.FloatingPoint)) ? 0 : 1;
        }

        if (withoutFloatingPoint > 0)
        {
            findings.Warning("floating-point", $"{withoutFloatingPoint} threads have no NT_PRFPREG");
        }
    }

    private static void CheckAuxv(CoreFile core, FindingList findings)
    {
        IReadOnlyList<CoreAuxEntry> auxv = core.ReadAuxv();
        if (core.FindNote(ElfAbi.CoreOwner, ElfAbi.Auxv) is null)
        {
            return; // said already
        }

        if (auxv.Count == 0)
        {
            findings.Warning("auxv", "NT_AUXV is empty: it could not be read, and debuggers may not find the shared libraries");
        }
        else if (auxv[^1].Type != ElfAbi.AuxvEnd)
        {
            findings.Error("auxv", "NT_AUXV does not end in AT_NULL");
        }
    }

    /// <summary>Ours describe every VMA, so an uncovered file is an error; gdb leaves out what it does not dump.</summary>
    private static void CheckMappedFiles(CoreFile core, FindingList findings, bool isOurs)
    {
        List<(ulong Start, UInt128 End)> covered = Coverage(core.ProgramHeaders);
        int uncovered = 0;
        foreach (CoreMappedFile file in core.ReadMappedFiles())
        {
            if (file.Start >= file.End)
            {
                findings.Error("mapped-files", $"NT_FILE has the range 0x{file.Start:x}-0x{file.End:x}");
            }
            else if (!IsCovered(file, covered))
            {
                uncovered++;
            }
        }

        if (uncovered > 0)
        {
            findings.Add(
                isOurs ? CoreFindingSeverity.Error : CoreFindingSeverity.Information,
                "mapped-files",
                $"{uncovered} entries of NT_FILE lie in no PT_LOAD, or not wholly");
        }
    }

    /// <summary>The address ranges of the PT_LOADs, merged where they touch; a hostile file must not cost a scan per entry.</summary>
    private static List<(ulong Start, UInt128 End)> Coverage(IEnumerable<ProgramHeader> headers)
    {
        List<(ulong Start, UInt128 End)> covered = [];
        foreach (ProgramHeader load in headers.Where(h => h.IsLoad).OrderBy(h => h.Address))
        {
            UInt128 end = (UInt128)load.Address + load.MemoryBytes;
            if (covered.Count > 0 && covered[^1] is var last && load.Address <= last.End)
            {
                covered[^1] = (last.Start, UInt128.Max(last.End, end));
            }
            else
            {
                covered.Add((load.Address, end));
            }
        }

        return covered;
    }

    private static bool IsCovered(CoreMappedFile file, List<(ulong Start, UInt128 End)> covered)
    {
        int low = 0;
        int high = covered.Count; // will be the first range that starts after the file's start
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = covered[middle].Start > file.Start ? (low, middle) : (middle + 1, high);
        }

        return low > 0 && covered[low - 1].End >= file.End;
    }
}
