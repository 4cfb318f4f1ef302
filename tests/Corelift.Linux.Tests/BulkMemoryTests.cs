using Corelift.Linux.Interop;
using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Tests;

/// <summary>
/// Of this process's own memory. That pages shared by copy-on-write stay shared is the tracee prefork's to tell, in the end-to-end
/// tests.
/// </summary>
public sealed unsafe class BulkMemoryTests
{
    private const int Page = 4096;
    private const int Pages = 64;
    private const int ReadWrite = 3;            // PROT_READ | PROT_WRITE
    private const int Anonymous = 0x20;         // MAP_ANONYMOUS

    public static TheoryData<int, bool, bool> Ways => new()
    {
        { 2, true, true }, { 2, true, false }, { 2, false, false }, // MAP_PRIVATE
        { 1, true, true }, { 1, true, false }, { 1, false, false }, // MAP_SHARED
    };

    [Theory, MemberData(nameof(Ways))]
    public void Every_byte_is_read_whichever_way_is_taken(int sharing, bool hasMem, bool hasPagemap) =>
        WithPages(sharing, hasMem, hasPagemap, (memory, start) =>
        {
            byte[] read = new byte[Pages * Page];
            Assert.Equal(read.Length, memory.Read(new RemoteAddress(start), read));
            Assert.Equal(Expected(), read);
        });

    [Theory, MemberData(nameof(Ways))]
    public void Reading_stops_at_a_page_that_is_not_there_and_says_so_when_asked_for_it(int sharing, bool hasMem, bool hasPagemap) =>
        WithPages(sharing, hasMem, hasPagemap, (memory, start) =>
        {
            const int Hole = 40;
            PutPastEndOfFile((byte*)start + (Hole * Page));
            byte[] read = new byte[Pages * Page];

            int got = memory.Read(new RemoteAddress(start), read);

            Assert.Equal(Hole * Page, got);
            Assert.Equal(Expected()[..got], read[..got]);
            Assert.Equal(0, memory.Read(new RemoteAddress(start + (Hole * Page)), read));
        });

    /// <summary>A page of an empty file: nobody can read it, and nobody else's mapping can take its place.</summary>
    private static void PutPastEndOfFile(byte* page)
    {
        const int PrivateFixed = 0x12; // MAP_PRIVATE | MAP_FIXED
        int empty = LibC.MemfdCreate("empty", 0);
        Assert.Equal((nint)page, (nint)LibC.Mmap(page, Page, ReadWrite, PrivateFixed, empty, 0));
        _ = LibC.Close(empty);
    }

    private static byte[] Expected()
    {
        byte[] bytes = new byte[Pages * Page];
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)(((i / Page) + (i * 31)) % 251);
        }

        return bytes;
    }

    private static void WithPages(int sharing, bool hasMem, bool hasPagemap, Action<BulkMemory, ulong> test)
    {
        byte* start = (byte*)LibC.Mmap(null, Pages * Page, ReadWrite, sharing | Anonymous, -1, 0);
        Assert.NotEqual(-1, (nint)start);
        try
        {
            Expected().CopyTo(new Span<byte>(start, Pages * Page));
            using SafeFileHandle mem = SelfControl.OpenOwnMemory()!;
            using SafeFileHandle pagemap = File.OpenHandle("/proc/self/pagemap");
            test(new BulkMemory(Environment.ProcessId, hasMem ? mem : null, hasPagemap ? pagemap : null), (ulong)start);
        }
        finally
        {
            _ = LibC.Munmap(start, Pages * Page);
        }
    }
}
