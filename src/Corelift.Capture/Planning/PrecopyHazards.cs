using System.Globalization;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Planning;

/// <summary>What keeps the writes of a target from being tracked, or from being seen by the tracker.</summary>
internal static class PrecopyHazards
{
    private const int SpareVmas = 500; // a mapping that grows beside a tracked one becomes one of its own
    private const int UsualMostVmas = 65_530;
    private const int MostDescriptors = 4096;
    private const ulong LargestPageBytes = 2UL << 20;
    private const uint Direct = 0x4000; // O_DIRECT

    /// <summary>Why strategy precopy must not be used, or null.</summary>
    internal static string? Find(TargetFacts facts)
    {
        if (facts.NoCallsBecause is { } reason)
        {
            return reason;
        }

        if (facts.Status.ThreadFeatures.Contains("shstk", StringComparison.Ordinal))
        {
            return "the target runs with a shadow stack, which a remote call would have to match";
        }

        if (facts.Status.PinnedBytes > 0)
        {
            return "a driver has pinned pages of the target: what a device writes there cannot be tracked";
        }

        if (facts.Vmas.Count + SpareVmas > MostVmas())
        {
            return string.Create(CultureInfo.InvariantCulture, $"the target has {facts.Vmas.Count} mappings, near the kernel's limit, and tracking may add some");
        }

        if (CgroupHeadroom.ReadTasks(facts.Directory) == 0)
        {
            return "the target's cgroup may have no more tasks (pids.max), and one is needed for a moment to open its memory";
        }

        return facts.Vmas.Any(v => v.PageSizeBytes > LargestPageBytes) ? "the target has huge pages above 2 MiB, which cannot be tracked in parts" : null;
    }

    /// <summary>What soft-dirty bits miss, or null: the kernel keeps none for hugetlb, and drops them where it merges equal pages.</summary>
    internal static string? FindForSoftDirty(TargetFacts facts) =>
        facts.Vmas.Any(v => (v.Flags & VmaKernelFlags.HugeTlb) != 0) ? "the target has hugetlb memory, whose writes soft-dirty bits do not tell"
        : facts.Vmas.Any(v => (v.Flags & VmaKernelFlags.Mergeable) != 0) ? "the target has the kernel merge equal pages (MADV_MERGEABLE), where soft-dirty bits are lost"
        : null;

    /// <summary>Why it had better not be used where there is a choice, or null: devices that write behind the tracker's back.</summary>
    internal static string? FindDoubt(TargetFacts facts)
    {
        if (facts.Vmas.Any(v => v.Vma.Name.StartsWith("/[aio]", StringComparison.Ordinal)
            || v.Vma.Name.StartsWith("anon_inode:[io_uring]", StringComparison.Ordinal)))
        {
            return "the target uses asynchronous I/O, which may write to memory after the tracker looked";
        }

        try
        {
            foreach (int descriptor in facts.Directory.ListDescriptors().Take(MostDescriptors))
            {
                if (Doubt(facts.Directory, descriptor) is { } doubt)
                {
                    return doubt;
                }
            }
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            // Not readable for us: no doubt that we could name.
        }

        return null;
    }

    /// <summary>vm.max_map_count (proc_sys_vm(5)).</summary>
    private static int MostVmas()
    {
        try
        {
            return int.Parse(File.ReadAllText("/proc/sys/vm/max_map_count"), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            return UsualMostVmas;
        }
    }

    private static string? Doubt(ProcessDirectory directory, int descriptor)
    {
        Span<byte> text = stackalloc byte[512];
        try
        {
            text = text[..directory.ReadStart(string.Create(CultureInfo.InvariantCulture, $"fdinfo/{descriptor}"), text)];
        }
        catch (SyscallException)
        {
            return null; // closed meanwhile
        }

        // userfaultfd's fdinfo (fs/userfaultfd.c, userfaultfd_show_fdinfo) begins its own lines with "pending:".
        if (text.IndexOf("\npending:\t"u8) >= 0)
        {
            return "the target handles page faults by itself (userfaultfd)";
        }

        int flags = text.IndexOf("flags:\t"u8);
        if (flags < 0)
        {
            return null;
        }

        ReadOnlySpan<byte> number = text[(flags + 7)..];
        int end = number.IndexOf((byte)'\n');
        return end > 0 && (ParseOctal(number[..end]) & Direct) != 0 ? "the target has a file open with O_DIRECT, whose reads write to memory without the CPU" : null;
    }

    private static uint ParseOctal(ReadOnlySpan<byte> digits)
    {
        uint value = 0;
        foreach (byte digit in digits)
        {
            value = unchecked((value << 3) | (uint)(digit - '0'));
        }

        return value;
    }
}
