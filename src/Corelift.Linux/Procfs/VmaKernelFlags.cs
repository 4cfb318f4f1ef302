namespace Corelift.Linux.Procfs;

/// <summary>The two-letter flags of VmFlags in smaps (fs/proc/task_mmu.c, show_smap_vma_flags). The bits are ours.</summary>
[Flags]
public enum VmaKernelFlags : ulong
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>rd: readable.</summary>
    Read = 1UL << 0,

    /// <summary>wr: writable.</summary>
    Write = 1UL << 1,

    /// <summary>ex: executable.</summary>
    Execute = 1UL << 2,

    /// <summary>sh: VM_SHARED, shared and writable at some time.</summary>
    Shared = 1UL << 3,

    /// <summary>mr: may become readable.</summary>
    MayRead = 1UL << 4,

    /// <summary>mw: may become writable.</summary>
    MayWrite = 1UL << 5,

    /// <summary>me: may become executable.</summary>
    MayExecute = 1UL << 6,

    /// <summary>ms: may be shared.</summary>
    MayShare = 1UL << 7,

    /// <summary>gd: a stack that grows down.</summary>
    GrowsDown = 1UL << 8,

    /// <summary>pf: page frames without struct page.</summary>
    PfnMap = 1UL << 9,

    /// <summary>dw: writing to the file is denied (old kernels).</summary>
    DenyWrite = 1UL << 10,

    /// <summary>lo: locked.</summary>
    Locked = 1UL << 11,

    /// <summary>io: memory of a device; reading may have effects.</summary>
    IoMemory = 1UL << 12,

    /// <summary>sr: MADV_SEQUENTIAL.</summary>
    SequentialRead = 1UL << 13,

    /// <summary>rr: MADV_RANDOM.</summary>
    RandomRead = 1UL << 14,

    /// <summary>dc: MADV_DONTFORK; a fork image does not have it.</summary>
    DontCopy = 1UL << 15,

    /// <summary>de: mremap cannot grow it.</summary>
    DontExpand = 1UL << 16,

    /// <summary>lf: locked when touched.</summary>
    LockOnFault = 1UL << 17,

    /// <summary>ac: accounted.</summary>
    Accountable = 1UL << 18,

    /// <summary>nr: no swap reserved.</summary>
    NoReserve = 1UL << 19,

    /// <summary>ht: huge pages of hugetlbfs.</summary>
    HugeTlb = 1UL << 20,

    /// <summary>sf: synchronous faults (DAX).</summary>
    SynchronousFault = 1UL << 21,

    /// <summary>nl: non-linear (old kernels).</summary>
    NonLinear = 1UL << 22,

    /// <summary>ar: flag of the architecture.</summary>
    ArchitectureSpecific = 1UL << 23,

    /// <summary>wf: MADV_WIPEONFORK; zero in a fork image.</summary>
    WipeOnFork = 1UL << 24,

    /// <summary>dd: MADV_DONTDUMP.</summary>
    DontDump = 1UL << 25,

    /// <summary>sd: written since soft-dirty was cleared.</summary>
    SoftDirty = 1UL << 26,

    /// <summary>mm: mixed pages and page frames.</summary>
    MixedMap = 1UL << 27,

    /// <summary>hg: MADV_HUGEPAGE.</summary>
    HugePage = 1UL << 28,

    /// <summary>nh: MADV_NOHUGEPAGE.</summary>
    NoHugePage = 1UL << 29,

    /// <summary>mg: MADV_MERGEABLE.</summary>
    Mergeable = 1UL << 30,

    /// <summary>um: userfaultfd tracks missing pages.</summary>
    UffdMissing = 1UL << 31,

    /// <summary>uw: userfaultfd tracks writes.</summary>
    UffdWriteProtect = 1UL << 32,

    /// <summary>ui: userfaultfd tracks minor faults.</summary>
    UffdMinor = 1UL << 33,

    /// <summary>mt: memory tagging of AArch64.</summary>
    MemoryTagging = 1UL << 34,

    /// <summary>bt: branch target identification of AArch64.</summary>
    BranchTargets = 1UL << 35,

    /// <summary>ss: shadow stack.</summary>
    ShadowStack = 1UL << 36,

    /// <summary>sl: mseal.</summary>
    Sealed = 1UL << 37,

    /// <summary>dp: may be dropped under memory pressure, never swapped.</summary>
    Droppable = 1UL << 38,

    /// <summary>gu: may hold guard pages (MADV_GUARD_INSTALL).</summary>
    MayHaveGuards = 1UL << 39,

    /// <summary>mp: Intel MPX (old kernels).</summary>
    Mpx = 1UL << 40,
}

/// <summary>The kernel's two letters for <see cref="VmaKernelFlags"/>.</summary>
public static class VmaKernelFlagNames
{
    // In the order of the enumeration's bits.
    private const string Letters =
        "rdwrexshmrmwmemsgdpfdwloiosrrrdcdelfacnrhtsfnlarwfddsdmmhgnhmgumuwuimtbtsssldpgump";

    /// <summary>The flag of two letters, or None for letters that are not known.</summary>
    public static VmaKernelFlags Parse(ReadOnlySpan<byte> letters)
    {
        if (letters.Length == 2)
        {
            for (int i = 0; i < Letters.Length; i += 2)
            {
                if (Letters[i] == letters[0] && Letters[i + 1] == letters[1])
                {
                    return (VmaKernelFlags)(1UL << (i / 2));
                }
            }
        }

        return VmaKernelFlags.None;
    }

    /// <summary>The letters of every flag that is set, in the order of the bits.</summary>
    public static List<string> Format(VmaKernelFlags flags)
    {
        var names = new List<string>();
        for (int i = 0; i < Letters.Length; i += 2)
        {
            if (((ulong)flags & (1UL << (i / 2))) != 0)
            {
                names.Add(Letters.Substring(i, 2));
            }
        }

        return names;
    }
}
