namespace Corelift.Linux.Memory;

/// <summary>How the kernel tells which pages of another process were written to.</summary>
public enum WriteTracking
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>A userfaultfd in asynchronous write-protect mode, and PAGEMAP_SCAN (both Linux 6.7): looked at and reset page by page.</summary>
    Protection,

    /// <summary>
    /// Soft-dirty bits of pagemap (CONFIG_MEM_SOFT_DIRTY, Linux 3.11): reset for all of the memory at once, so they tell what
    /// was written since one moment.
    /// </summary>
    SoftDirty,
}
