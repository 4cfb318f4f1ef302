using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Corelift.Linux.Memory;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Tests;

/// <summary>Where the kernel has soft-dirty bits; `.ci/older-kernel.sh` boots one that has, and lets none of these be skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SoftDirtyFactAttribute : FactAttribute
{
    public SoftDirtyFactAttribute() =>
        Skip = KernelFeatures.Probe().SoftDirty == FeatureState.Present ? null : "this kernel has no soft-dirty bits";
}

/// <summary>On memory of this process, which resets its own bits: all of it counts as not written to then.</summary>
public sealed unsafe partial class SoftDirtyTests : IDisposable
{
    private const int Page = 4096;
    private const int Pages = 1024;
    private const nuint Length = (nuint)Pages * Page;
    private const int ReadWrite = 3;            // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS
    private const int Fixed = 0x10;             // MAP_FIXED
    private const int NoHugePage = 15;          // MADV_NOHUGEPAGE
    private const int DontNeed = 4;             // MADV_DONTNEED
    private const nuint HugePage = 2 << 20;
    private const nuint Reserved = (2 * HugePage) + (2 * Length);

    private readonly byte* _reserved = Map(null, Reserved, 0);
    private readonly byte* _memory; // at a multiple of a huge page: mremap moves whole page tables there
    private readonly SafeFileHandle _pagemapFile = File.OpenHandle("/proc/self/pagemap");
    private readonly SafeFileHandle _clearRefs = File.OpenHandle("/proc/self/clear_refs", FileMode.Open, FileAccess.Write);
    private readonly Pagemap _pagemap;

    public SoftDirtyTests()
    {
        _pagemap = new Pagemap((int)_pagemapFile.DangerousGetHandle(), WriteTracking.SoftDirty);
        _memory = (byte*)(((nuint)_reserved + HugePage - 1) & ~(HugePage - 1));
        _ = Map(_memory, Length, Fixed);
        _ = LibC.Madvise(_memory, Length, NoHugePage);
        new Span<byte>(_memory, (int)Length).Fill(1);
    }

    private PageRun Whole => new((ulong)_memory, (ulong)_memory + Length);

    [SoftDirtyFact]
    public void What_is_written_after_a_reset_is_found_and_nothing_else()
    {
        AssertFound([Run(0, Pages)], [Run(0, Pages)]);

        Assert.True(SoftDirtyBits.TryReset(_clearRefs, _pagemap, [Whole]));
        AssertFound([], []);

        _memory[3 * Page] = 2;
        _memory[10 * Page] = 2;
        _memory[11 * Page] = 2;
        AssertFound([Run(3, 4), Run(10, 12)], [Run(3, 4), Run(10, 12)]);
    }

    [SoftDirtyFact]
    public void Given_up_memory_counts_as_written_to_and_still_does_once_it_is_read()
    {
        Assert.True(SoftDirtyBits.TryReset(_clearRefs, _pagemap, [Whole]));
        _ = LibC.Madvise(_memory + (8 * Page), 4 * Page, DontNeed);
        AssertFound([Run(8, 12)], []);

        Assert.Equal(0, Volatile.Read(ref _memory[9 * Page])); // the page of zeros
        AssertFound([Run(8, 12)], [Run(9, 10)]);
    }

    [SoftDirtyFact]
    public void Whatever_was_mapped_anew_or_moved_since_is_not_registered_and_the_rest_is()
    {
        using WriteTracker tracker = Track();
        byte* other = _memory + HugePage + Length; // aligned, too
        _ = Map(other, Length, Fixed);
        Assert.Equal(Errno.None, tracker.Register((ulong)_memory, (ulong)_memory + Length));
        Assert.True(tracker.IsRegistered((ulong)_memory));
        Assert.False(tracker.IsRegistered((ulong)other));

        Assert.True(SoftDirtyBits.TryReset(_clearRefs, _pagemap, [Whole]));
        _memory[0] = 2;
        Assert.True(tracker.IsRegistered((ulong)_memory));

        // Moved by whole page tables: the bits alone would say that nothing was written there.
        Assert.Equal((nint)other, Remap(_memory, Length, Length, 3, other)); // MREMAP_MAYMOVE | MREMAP_FIXED
        Assert.False(tracker.IsRegistered((ulong)other));

        // And back: the place is the one that was registered, the memory is not.
        Assert.Equal((nint)_memory, Remap(other, Length, Length, 3, _memory));
        Assert.False(tracker.IsRegistered((ulong)_memory));
    }

    [SoftDirtyFact]
    public void A_reset_of_another_process_is_not_taken_for_one_of_this_memory()
    {
        using var other = System.Diagnostics.Process.Start("sleep", "60");
        try
        {
            // Until its execve is over, a child of vfork(2) has this memory; the name is set after that (fs/exec.c, begin_new_exec).
            Assert.True(SpinWait.SpinUntil(() => File.ReadAllText($"/proc/{other.Id}/comm") == "sleep\n", TimeSpan.FromSeconds(30)));
            using SafeFileHandle clearRefs = File.OpenHandle($"/proc/{other.Id}/clear_refs", FileMode.Open, FileAccess.Write);
            Assert.False(SoftDirtyBits.TryReset(clearRefs, _pagemap, [Whole]));
        }
        finally
        {
            other.Kill();
            other.WaitForExit();
        }
    }

    public void Dispose()
    {
        _pagemapFile.Dispose();
        _clearRefs.Dispose();
        _ = LibC.Munmap(_reserved, Reserved);
    }

    private static WriteTracker Track()
    {
        const int UserModeOnly = 1, NonBlockingCloseOnExec = 0x80800;
        WriteTracker? tracker = WriteTracker.Begin(new SafeFileHandle(LibC.Userfaultfd(NonBlockingCloseOnExec | UserModeOnly), ownsHandle: true));
        Assert.NotNull(tracker);
        return tracker;
    }

    private static byte* Map(byte* at, nuint length, int flags)
    {
        byte* memory = (byte*)LibC.Mmap(at, length, flags == 0 ? 0 : ReadWrite, PrivateAnonymous | flags, -1, 0);
        Assert.NotEqual(-1, (nint)memory);
        return memory;
    }

    private PageRun Run(int from, int to) => new((ulong)_memory + ((ulong)from * Page), (ulong)_memory + ((ulong)to * Page));

    private void AssertFound(PageRun[] written, PageRun[] present)
    {
        (PageRunList foundWritten, PageRunList foundPresent) = (new PageRunList(), new PageRunList());
        Assert.Equal(Errno.None, _pagemap.FindWrittenAndPresent((ulong)_memory, (ulong)_memory + Length, foundWritten, foundPresent));
        Assert.Equal(written, foundWritten.Runs.ToArray());
        Assert.Equal(present, foundPresent.Runs.ToArray());
    }

    [LibraryImport("libc", EntryPoint = "mremap", SetLastError = true)]
    private static partial nint Remap(byte* old, nuint oldLength, nuint newLength, int flags, byte* at);
}
