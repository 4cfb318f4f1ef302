namespace Corelift.Elf;

/// <summary>Checks of the PT_LOADs: order, overlap, bounds.</summary>
internal static class LoadChecks
{
    internal static void Run(CoreFile core, FindingList findings)
    {
        ulong length = (ulong)core.LengthBytes;
        List<ProgramHeader> withBytes = [];
        UInt128 lastEnd = 0;
        bool any = false;
        foreach (ProgramHeader load in core.ProgramHeaders)
        {
            if (!load.IsLoad)
            {
                continue;
            }

            any = true;
            CheckOne(load, length, findings);
            if (load.Address < lastEnd)
            {
                findings.Error("load-order", $"PT_LOAD at 0x{load.Address:x} is out of order or overlaps the one before");
            }

            lastEnd = (UInt128)load.Address + load.MemoryBytes;
            if (load.FileBytes > 0)
            {
                withBytes.Add(load);
            }
        }

        if (!any)
        {
            findings.Error("load-bounds", "no PT_LOAD: the core describes no memory");
        }

        CheckSharing(withBytes, findings);
    }

    private static void CheckOne(ProgramHeader load, ulong fileLength, FindingList findings)
    {
        if (load.OffsetBytes > fileLength || load.FileBytes > fileLength - load.OffsetBytes)
        {
            if (load.FileBytes > 0)
            {
                findings.Error("load-bounds", $"bytes of the PT_LOAD at 0x{load.Address:x} are past the end of the file: it is cut");
            }
        }

        if (load.FileBytes > load.MemoryBytes)
        {
            findings.Error("load-size", $"PT_LOAD at 0x{load.Address:x} has more bytes in the file than in memory");
        }

        if ((UInt128)load.Address + load.MemoryBytes > (UInt128)ulong.MaxValue + 1)
        {
            findings.Error("load-size", $"PT_LOAD at 0x{load.Address:x} reaches beyond the address space");
        }

        if (load.AlignBytes > 1 && (!ulong.IsPow2(load.AlignBytes)
            || ((load.Address ^ load.OffsetBytes) & (load.AlignBytes - 1)) != 0))
        {
            findings.Warning("load-alignment", $"PT_LOAD at 0x{load.Address:x}: offset and address disagree about p_align");
        }
    }

    private static void CheckSharing(List<ProgramHeader> loads, FindingList findings)
    {
        loads.Sort(static (a, b) => a.OffsetBytes.CompareTo(b.OffsetBytes));
        for (int i = 1; i < loads.Count; i++)
        {
            if ((UInt128)loads[i - 1].OffsetBytes + loads[i - 1].FileBytes > loads[i].OffsetBytes)
            {
                findings.Error("load-sharing", $"PT_LOAD at 0x{loads[i].Address:x} shares bytes of the file with another");
            }
        }
    }
}
