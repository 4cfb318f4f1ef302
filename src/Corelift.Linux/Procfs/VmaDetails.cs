namespace Corelift.Linux.Procfs;

/// <summary>A VMA with what smaps adds: present bytes by kind, and the kernel's flags.</summary>
public sealed record VmaDetails
{
    /// <summary>The VMA.</summary>
    public required Vma Vma { get; init; }

    /// <summary>Bytes of a page of this VMA (KernelPageSize); above 4096 only with hugetlbfs.</summary>
    public ulong PageSizeBytes { get; init; }

    /// <summary>Present bytes (Rss), pages of hugetlbfs not among them.</summary>
    public ulong ResidentBytes { get; init; }

    /// <summary>Present bytes, each divided by how many processes map it (Pss).</summary>
    public ulong ProportionalBytes { get; init; }

    /// <summary>Present, mapped by others too, not written to since read.</summary>
    public ulong SharedCleanBytes { get; init; }

    /// <summary>Present, mapped by others too, written to.</summary>
    public ulong SharedDirtyBytes { get; init; }

    /// <summary>Present, mapped here alone, not written to since read.</summary>
    public ulong PrivateCleanBytes { get; init; }

    /// <summary>Present, mapped here alone, written to.</summary>
    public ulong PrivateDirtyBytes { get; init; }

    /// <summary>Present pages that no file holds: anonymous memory and private copies.</summary>
    public ulong AnonymousBytes { get; init; }

    /// <summary>Present bytes in transparent huge pages.</summary>
    public ulong AnonymousHugePageBytes { get; init; }

    /// <summary>Pages of hugetlbfs that others map, too.</summary>
    public ulong SharedHugetlbBytes { get; init; }

    /// <summary>Pages of hugetlbfs that are mapped here alone.</summary>
    public ulong PrivateHugetlbBytes { get; init; }

    /// <summary>Swapped out. Of shared memory the kernel counts the whole object's where this process has no page.</summary>
    public ulong SwappedBytes { get; init; }

    /// <summary>Locked bytes.</summary>
    public ulong LockedBytes { get; init; }

    /// <summary>The kernel's flags.</summary>
    public VmaKernelFlags Flags { get; init; }

    /// <summary>Two-letter flags that this version does not know; nearly always empty.</summary>
    public IReadOnlyList<string> OtherFlags { get; init; } = [];

    /// <summary>Whether nothing of it exists in memory or swap, so that reading would only create pages.</summary>
    public bool IsEmpty =>
        ResidentBytes == 0 && SwappedBytes == 0 && SharedHugetlbBytes == 0 && PrivateHugetlbBytes == 0;
}
