using System.Globalization;
using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Tests;

public sealed class SharedBufferTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData((4L << 20) + 12_345)]
    [InlineData(9L << 20)]
    [InlineData((101L << 20) + 1)]
    public void What_one_side_writes_the_other_side_reads(long lengthBytes)
    {
        using SharedBuffer mine = SharedBuffer.Create("test", lengthBytes);
        using SharedBuffer theirs = SharedBuffer.Open(Duplicate(mine));
        int last = (int)mine.LengthBytes - 1;
        Assert.Equal((lengthBytes + 4095) / 4096 * 4096, mine.LengthBytes);
        Assert.Equal(mine.LengthBytes, theirs.LengthBytes);
        Assert.False(mine.Slice(0, last + 1).ContainsAnyExcept((byte)0));

        mine.Slice(0, 1)[0] = 7;
        mine.Slice(last, 1)[0] = 9;

        Assert.Equal(last == 0 ? 9 : 7, theirs.Slice(0, 1)[0]);
        Assert.Equal(9, theirs.Memory(last, 1).Span[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => theirs.Memory(last, 2));
    }

    [Fact]
    public void Released_parts_cost_no_memory_and_are_zero_for_both_sides()
    {
        const int Part = 4 << 20;
        using SharedBuffer mine = SharedBuffer.Create("test", 3L * Part);
        using SharedBuffer theirs = SharedBuffer.Open(Duplicate(mine));
        mine.Slice(0, 3 * Part).Fill(1);
        Assert.False(theirs.Slice(0, 3 * Part).ContainsAnyExcept((byte)1));
        long before = SharedBytes();

        mine.Release(Part, Part);

        Assert.Equal(before - Part, SharedBytes());
        Assert.False(theirs.Slice(Part, Part).ContainsAnyExcept((byte)0));
        Assert.False(theirs.Slice(0, Part).ContainsAnyExcept((byte)1));
        Assert.False(theirs.Slice(2 * Part, Part).ContainsAnyExcept((byte)1));
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.Release(2 * Part, Part + 1));
    }

    [Fact]
    public void Private_memory_is_read_through_the_mem_file_of_the_process_that_has_it()
    {
        const int Part = 4 << 20;
        using SharedBuffer mine = SharedBuffer.CreatePrivate(SelfControl.OpenOwnMemory()!, 20L * Part);
        Assert.Equal(20L * Part, mine.LengthBytes);
        mine.Slice(0, 20 * Part).Fill(1);
        using SafeFileHandle theirs = Duplicate(mine, FileAccess.Read);
        byte[] read = new byte[2 * Part];

        Assert.Equal(read.Length, MemFile.Read(theirs, new RemoteAddress(mine.AddressInMemFile + (18 * Part)), read, out _));
        Assert.False(read.AsSpan().ContainsAnyExcept((byte)1));

        mine.Release(18 * Part, Part);
        Assert.Equal(read.Length, MemFile.Read(theirs, new RemoteAddress(mine.AddressInMemFile + (18 * Part)), read, out _));
        Assert.False(read.AsSpan(0, Part).ContainsAnyExcept((byte)0));
        Assert.False(read.AsSpan(Part).ContainsAnyExcept((byte)1));
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(20L << 20)]
    [InlineData((101L << 20) + 1)]
    public void Private_memory_has_all_its_pages_from_the_start(long lengthBytes)
    {
        using SharedBuffer mine = SharedBuffer.CreatePrivate(SelfControl.OpenOwnMemory()!, lengthBytes);
        using SafeFileHandle pagemap = File.OpenHandle("/proc/self/pagemap");
        byte[] entries = new byte[mine.LengthBytes / 4096 * 8];

        Assert.Equal(entries.Length, RandomAccess.Read(pagemap, entries, (long)(mine.AddressInMemFile / 4096 * 8)));

        Assert.All(entries.Chunk(8), entry => Assert.True(entry[7] >= 0x80)); // bit 63: present (proc_pid_pagemap(5))
    }

    private static SafeFileHandle Duplicate(SharedBuffer buffer, FileAccess access = FileAccess.ReadWrite) =>
        File.OpenHandle($"/proc/self/fd/{buffer.File.DangerousGetHandle()}", FileMode.Open, access);

    // Pss of all mappings of the memfd: both sides have touched every page, and each page counts once.
    private static long SharedBytes()
    {
        long sum = 0;
        bool ours = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Length > 0 && !char.IsUpper(line[0]))
            {
                ours = line.Contains("memfd:test", StringComparison.Ordinal);
            }
            else if (ours && line.StartsWith("Pss:", StringComparison.Ordinal))
            {
                sum += long.Parse(line[4..^2].Trim(), CultureInfo.InvariantCulture) * 1024;
            }
        }

        return sum;
    }
}
