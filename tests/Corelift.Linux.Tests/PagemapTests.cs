using Corelift.Linux.Interop;
using Corelift.Linux.Memory;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Tests;

public sealed class PagemapTests
{
    private const int Page = 4096;
    private const int ReadWrite = 3;            // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS
    private const int NoHugePage = 15;          // MADV_NOHUGEPAGE

    // 512 is the kernel's own buffer, 1024 ours: around both, and between them, where walk_end is stale.
    [Theory]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(513)]
    [InlineData(700)]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(2500)]
    public unsafe void Every_island_is_found_once_and_in_order(int islands)
    {
        nuint length = (nuint)(2L * islands * Page);
        byte* memory = (byte*)LibC.Mmap(null, length, ReadWrite, PrivateAnonymous, -1, 0);
        Assert.NotEqual(-1, (nint)memory);
        try
        {
            _ = LibC.Madvise(memory, length, NoHugePage);
            var expected = new List<PageRun>();
            for (byte* page = memory + Page; page < memory + length; page += 2 * Page)
            {
                *page = 1;
                expected.Add(new PageRun((ulong)page, (ulong)page + Page));
            }

            using SafeFileHandle pagemap = File.OpenHandle("/proc/self/pagemap");
            var runs = new PageRunList();
            Assert.True(new Pagemap((int)pagemap.DangerousGetHandle()).Scan((ulong)memory, (ulong)memory + length, runs));

            Assert.Equal(expected, runs.Runs.ToArray());
        }
        finally
        {
            _ = LibC.Munmap(memory, length);
        }
    }
}
