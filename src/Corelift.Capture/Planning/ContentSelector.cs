using Corelift.Linux.Procfs;

namespace Corelift.Capture.Planning;

/// <summary>What a selection depends on besides the VMAs.</summary>
internal sealed record SelectionInput
{
    internal required CaptureContent Content { get; init; }

    /// <summary>Bits of coredump_filter (core(5)).</summary>
    internal required uint CoredumpFilter { get; init; }

    /// <summary>Whether the process hosts CoreCLR.</summary>
    internal required bool IsCoreClr { get; init; }

    /// <summary>What its owner marked as secret.</summary>
    internal required SecretMemory Secrets { get; init; }

    /// <summary>Stack pointers of the tasks, for content stacks.</summary>
    internal IReadOnlyList<ulong> StackPointers { get; init; } = [];

    /// <summary>Pages that a debugger needs for a backtrace (auxv's program headers, r_debug, link_map), for content stacks.</summary>
    internal IReadOnlyCollection<ulong> DebuggerPages { get; init; } = [];
}

/// <summary>A piece of a VMA that a content includes, or why it does not.</summary>
internal readonly record struct Selected(ulong Start, ulong End, HoleCause Hole);

/// <summary>
/// Decides what of each VMA a content includes. For content default this is the kernel's own decision for a core dump
/// (fs/coredump.c, vma_dump_size), which gcore follows, too.
/// </summary>
internal sealed class ContentSelector
{
    private const ulong PageBytes = 4096;
    private const ulong StackBudgetBytes = 6UL << 20;
    private const ulong MostStackBytesPerThread = 1UL << 20;
    private const ulong LeastStackBytesPerThread = 4 * PageBytes;
    private const ulong RedZoneBytes = 128;

    private readonly SelectionInput _input;
    private readonly ulong[] _stackPointers;
    private readonly ulong[] _debuggerPages;

    internal ContentSelector(SelectionInput input)
    {
        _input = input;
        _stackPointers = [.. input.StackPointers];
        Array.Sort(_stackPointers);
        _debuggerPages = [.. input.DebuggerPages];
        Array.Sort(_debuggerPages);
    }

    /// <summary>Appends the pieces of a VMA, without a gap from its start to its end.</summary>
    /// <param name="vma">The VMA as it is in the pause.</param>
    /// <param name="details">What smaps said of it before, or null where it is new.</param>
    /// <param name="pieces">Receives the pieces.</param>
    internal void Select(Vma vma, VmaDetails? details, List<Selected> pieces)
    {
        ulong start = vma.Start.Value;
        ulong end = vma.End.Value;
        HoleCause exclusion = Exclusion(vma, details);
        if (exclusion != HoleCause.None)
        {
            pieces.Add(new Selected(start, end, exclusion));
        }
        else if (_input.Content == CaptureContent.Stacks && vma.Name != "[vdso]")
        {
            SelectForBacktraces(vma, pieces);
        }
        else if (IsWhole(vma, details))
        {
            pieces.Add(new Selected(start, end, HoleCause.None));
        }
        else if (IsElfHeader(vma))
        {
            Split(start, Math.Min(start + PageBytes, end), end, pieces);
        }
        else
        {
            pieces.Add(new Selected(start, end, HoleCause.NotInContent));
        }
    }

    private HoleCause Exclusion(Vma vma, VmaDetails? details)
    {
        const VmaKernelFlags Device = VmaKernelFlags.IoMemory | VmaKernelFlags.PfnMap;
        VmaKernelFlags flags = details?.Flags ?? VmaKernelFlags.None;
        if (vma.Name is "[vvar]" or "[vvar_vclock]" or "[vsyscall]" || vma.Name.StartsWith("/dev/", StringComparison.Ordinal) && !IsMemoryDevice(vma.Name))
        {
            return HoleCause.Device;
        }

        if (vma.Name == "[vdso]")
        {
            return HoleCause.None; // VM_IO may be set on it, and every debugger wants it
        }

        if ((flags & Device) != 0)
        {
            return HoleCause.Device;
        }

        if (vma.Name.StartsWith("/secretmem", StringComparison.Ordinal) || vma.Name.StartsWith("secretmem", StringComparison.Ordinal))
        {
            return HoleCause.Unreadable;
        }

        if (_input.Secrets.IsIncluded)
        {
            return HoleCause.None;
        }

        // What the kernel itself would not dump has that reason; in content full, which honours no such wish, it is a secret.
        return HasSecretName(vma.Name, _input.Secrets.Names) ? HoleCause.Secret
            : (flags & VmaKernelFlags.DontDump) == 0 ? HoleCause.None
            : _input.Content == CaptureContent.Full ? HoleCause.Secret
            : HoleCause.DontDump;
    }

    /// <summary>Whether the name of a VMA is one that the agent's policy calls secret.</summary>
    internal static bool HasSecretName(string name, IReadOnlyList<string> patterns)
    {
        foreach (string pattern in patterns)
        {
            if (NamePattern.Fits(pattern, name))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsMemoryDevice(string name) =>
        name.StartsWith("/dev/shm/", StringComparison.Ordinal) || name.StartsWith("/dev/zero", StringComparison.Ordinal)
        || name.StartsWith("/dev/hugepages/", StringComparison.Ordinal);

    private bool IsWhole(Vma vma, VmaDetails? details)
    {
        if (_input.Content == CaptureContent.Full || vma.Name == "[vdso]")
        {
            return true;
        }

        VmaKernelFlags flags = details?.Flags ?? VmaKernelFlags.None;
        if ((flags & VmaKernelFlags.HugeTlb) != 0)
        {
            return HasFilter(vma.IsShared ? 6 : 5);
        }

        if (_input.IsCoreClr && IsAssembly(vma))
        {
            return true; // privately or shared: flat images are mapped MAP_SHARED
        }

        if (vma.IsShared)
        {
            return HasFilter(IsUnlinkedObject(vma) ? 1 : 3);
        }

        if (!vma.IsFileBacked)
        {
            return HasFilter(0);
        }

        // A private mapping of a file that was written to is dumped whole, pages of the file and all (anon_vma).
        bool written = details is null || details.AnonymousBytes > 0 || details.SwappedBytes > 0;
        return (written && HasFilter(0)) || HasFilter(2);
    }

    private bool HasFilter(int bit) => (_input.CoredumpFilter & (1u << bit)) != 0;

    /// <summary>Shared memory without a name in any directory: anonymous, memfd, or unlinked (i_nlink of 0).</summary>
    private static bool IsUnlinkedObject(Vma vma) => vma.IsDeleted || !vma.IsFileBacked || vma.Name.StartsWith("/SYSV", StringComparison.Ordinal);

    private static bool IsAssembly(Vma vma) =>
        vma.Name.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) || vma.Name.EndsWith(".exe", StringComparison.OrdinalIgnoreCase)
        || vma.Name.EndsWith("/libcoreclr.so", StringComparison.Ordinal);

    private bool IsElfHeader(Vma vma) => HasFilter(4) && vma.IsFileBacked && !vma.IsShared && vma.FileOffsetBytes == 0 && vma.IsReadable;

    private static void Split(ulong start, ulong middle, ulong end, List<Selected> pieces)
    {
        pieces.Add(new Selected(start, middle, HoleCause.None));
        if (middle < end)
        {
            pieces.Add(new Selected(middle, end, HoleCause.NotInContent));
        }
    }

    /// <summary>Stacks from their pointers upwards, debugger pages, first pages of mapped files.</summary>
    private void SelectForBacktraces(Vma vma, List<Selected> pieces)
    {
        ulong start = vma.Start.Value;
        ulong end = vma.End.Value;
        var wanted = new List<(ulong Start, ulong End)>();
        if (vma.IsFileBacked && !vma.IsShared && vma.FileOffsetBytes == 0 && vma.IsReadable)
        {
            wanted.Add((start, start + PageBytes));
        }

        for (int i = LowerBound(_debuggerPages, start); i < _debuggerPages.Length && _debuggerPages[i] < end; i++)
        {
            wanted.Add((_debuggerPages[i], _debuggerPages[i] + PageBytes));
        }

        ulong perThread = Math.Clamp(
            StackBudgetBytes / (ulong)Math.Max(1, _stackPointers.Length) & ~(PageBytes - 1), LeastStackBytesPerThread, MostStackBytesPerThread);
        for (int i = LowerBound(_stackPointers, start); i < _stackPointers.Length && _stackPointers[i] < end; i++)
        {
            ulong low = Math.Max(start, (_stackPointers[i] - Math.Min(_stackPointers[i], RedZoneBytes)) & ~(PageBytes - 1));
            wanted.Add((low, Math.Min(end, low + perThread)));
        }

        wanted.Sort();
        ulong position = start;
        foreach ((ulong low, ulong high) in wanted)
        {
            if (high <= position)
            {
                continue;
            }

            if (low > position)
            {
                pieces.Add(new Selected(position, low, HoleCause.NotInContent));
            }

            pieces.Add(new Selected(Math.Max(low, position), Math.Min(high, end), HoleCause.None));
            position = Math.Min(high, end);
        }

        if (position < end)
        {
            pieces.Add(new Selected(position, end, HoleCause.NotInContent));
        }
    }

    private static int LowerBound(ulong[] sorted, ulong value)
    {
        int index = Array.BinarySearch(sorted, value);
        while (index > 0 && sorted[index - 1] == value)
        {
            index--;
        }

        return index < 0 ? ~index : index;
    }
}
