namespace Corelift.Elf.Tests;

public sealed class CoreWriterTests
{
    private const int Page = Samples.Page;
    private const ulong Base = Samples.Base;

    [Fact]
    public void Program_headers_follow_the_regions_between_two_note_segments()
    {
        using CoreFile core = CoreFile.Open(new MemoryStream(Samples.SmallCore()));

        Assert.Equal([4u, 1u, 1u, 1u, 1u, 4u], core.ProgramHeaders.Select(h => h.Type));
        ProgramHeader[] loads = [.. core.ProgramHeaders.Where(h => h.IsLoad)];
        Assert.Equal([Base, Base + Page, Base + (3 * Page), Base + (4 * Page)], loads.Select(h => h.Address));
        Assert.Equal([Page, 2 * Page, Page, 4 * Page], loads.Select(h => (int)h.MemoryBytes));
        Assert.Equal([Page, 0, 0, 4 * Page], loads.Select(h => (int)h.FileBytes));
        Assert.Equal([4, 5, 0, 6], loads.Select(h => (int)h.Flags));
        Assert.All(loads, h => Assert.Equal(0u, h.OffsetBytes % Page));
        Assert.All(loads, h => Assert.Equal((ulong)Page, h.AlignBytes));
    }

    [Fact]
    public void Notes_come_in_the_order_of_the_kernel()
    {
        using CoreFile core = CoreFile.Open(new MemoryStream(Samples.SmallCore()));

        Assert.Equal(
            [
                ("CORE", 1u), ("CORE", 3u), ("CORE", 0x53494749u), ("CORE", 6u), ("CORE", 0x46494c45u), ("CORE", 2u), ("LINUX", 0x202u),
                ("CORE", 1u), ("CORE", 0x53494749u), ("CORE", 2u), ("LINUX", 0x202u),
                ("CORELIFT", 0x434C0001u),
            ],
            core.Notes.Select(n => (n.Owner, n.Type)));
    }

    [Fact]
    public void Missing_floating_point_registers_are_derived_from_the_xstate()
    {
        using CoreFile core = CoreFile.Open(new MemoryStream(Samples.SmallCore()));

        byte[] derived = core.ReadNote(core.Notes.First(n => n is { Owner: "CORE", Type: 2 }));

        byte[] xstate = Samples.XState(4001);
        Assert.Equal([.. xstate[..464], .. new byte[48]], derived);
        Assert.Equal(xstate, core.ReadNote(core.Notes.First(n => n.Type == 0x202)));
    }

    [Fact]
    public void Own_floating_point_registers_and_unknown_sets_pass_through()
    {
        byte[] floatingPoint = Samples.Pattern(512, 5);
        byte[] unknown = Samples.Pattern(13, 6);
        CoreThread thread = Samples.Thread(7) with
        {
            RegisterSets = [new(1, new byte[216]), new(0x204, unknown), new(2, floatingPoint), new(0x202, new byte[832])],
        };
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(stream, Samples.Snapshot() with { Threads = [thread] });
        writer.Complete(Samples.Json);

        using CoreFile core = CoreFile.Open(stream);

        Assert.Equal(floatingPoint, core.ReadNote(Assert.Single(core.Notes, n => n.Type == 2)));
        Assert.Equal(unknown, core.ReadNote(Assert.Single(core.Notes, n => n is { Owner: "LINUX", Type: 0x204 })));
        Assert.Empty(core.NoteDamage);
    }

    [Fact]
    public void Memory_reads_back_and_what_was_not_written_is_zero()
    {
        using CoreFile core = CoreFile.Open(new MemoryStream(Samples.SmallCore()));
        byte[] read = new byte[5 * Page];

        Assert.Equal(4 * Page, core.Read(Base + (4 * Page), read)); // the core holds nothing beyond

        Assert.Equal(new byte[3 * Page], read[..(3 * Page)]);
        Assert.Equal(Samples.Pattern(Page, 2), read[(3 * Page)..(4 * Page)]);
        Assert.Equal(0, core.Read(Base + Page, read)); // described, but without bytes
    }

    [Fact]
    public void Memory_may_span_regions_that_follow_each_other()
    {
        CoreVma[] vmas = [Samples.Vma(0, 1, CoreVmaFlags.Read), Samples.Vma(1, 1, CoreVmaFlags.Write), Samples.Vma(3, 1, CoreVmaFlags.Read)];
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(stream, Samples.Snapshot(1, vmas));
        byte[] bytes = Samples.Pattern(Page, 3);
        writer.WriteMemory(Base + (Page / 2), bytes);
        writer.Complete(Samples.Json);
        byte[] read = new byte[Page];

        using CoreFile core = CoreFile.Open(stream);

        Assert.Equal(Page, core.Read(Base + (Page / 2), read));
        Assert.Equal(bytes, read);
        Assert.Equal(Page, writer.CapturedBytes);
    }

    [Theory]
    [InlineData(-1, 1)] // before the first region
    [InlineData(0, 2 * Page)] // runs into a region without bytes
    [InlineData(Page, 1)] // in a region without bytes
    [InlineData(8 * Page, 1)] // after the last region
    [InlineData(8 * Page - 1, 2)] // runs out of the last region
    public void Memory_outside_of_regions_with_bytes_is_refused(long at, int length)
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(stream, Samples.SmallSnapshot());
        byte[] before = stream.ToArray();

        Assert.Throws<CoreFormatException>(() => writer.WriteMemory(unchecked(Base + (ulong)at), Samples.Pattern(length, 1)));

        Assert.Equal(before, stream.ToArray());
        Assert.Equal(0, writer.CapturedBytes);
        writer.WriteMemory(Base, new byte[1]); // and it goes on
    }

    [Fact]
    public void Later_memory_replaces_earlier_memory_even_by_zeros()
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(stream, Samples.Snapshot());
        writer.WriteMemory(Base + (2 * Page), Samples.Pattern(2 * Page, 1));
        writer.WriteMemory(Base, Samples.Pattern(Page, 2));
        writer.WriteMemory(Base + Page, Samples.Pattern(2 * Page, 3));
        writer.WriteMemory(Base + (3 * Page), new byte[Page]);
        writer.Complete(Samples.Json);
        byte[] read = new byte[4 * Page];

        using CoreFile core = CoreFile.Open(stream);

        Assert.Equal(4 * Page, core.Read(Base, read));
        Assert.Equal([.. Samples.Pattern(Page, 2), .. Samples.Pattern(2 * Page, 3), .. new byte[Page]], read);
    }

    [Fact]
    public void An_existing_file_leaves_no_trace_in_the_core()
    {
        using MemoryStream stream = new();
        stream.Write(Enumerable.Repeat((byte)0xAA, 1 << 20).ToArray());
        using CoreWriter writer = CoreWriter.Create(stream, Samples.SmallSnapshot(), new() { VendorNoteReserveBytes = 4096 });
        writer.WriteMemory(Base, Samples.Pattern(Page, 1));
        writer.WriteMemory(Base + (7 * Page), Samples.Pattern(Page, 2));
        writer.Complete(Samples.Json);

        Assert.Equal(Samples.SmallCore(), stream.ToArray());
    }

    [Fact]
    public void A_pipe_gets_the_same_bytes_as_a_file()
    {
        using MemoryStream sink = new();
        using CoreWriter writer = CoreWriter.Create(new PipeStream(sink), Samples.SmallSnapshot(), new() { VendorNoteReserveBytes = 4096 });
        writer.WriteMemory(Base, Samples.Pattern(Page, 1));
        writer.WriteMemory(Base + (7 * Page), Samples.Pattern(Page, 2));
        writer.Complete(Samples.Json);

        Assert.Equal(Samples.SmallCore(), sink.ToArray());
        Assert.Equal(sink.Length, writer.FileLengthBytes);
    }

    [Fact]
    public void A_pipe_refuses_memory_that_it_is_already_past()
    {
        using CoreWriter writer = CoreWriter.Create(new PipeStream(), Samples.Snapshot());
        writer.WriteMemory(Base + Page, new byte[Page]);

        Assert.Throws<CoreFormatException>(() => writer.WriteMemory(Base + (2 * Page) - 1, new byte[2]));
        writer.WriteMemory(Base + (2 * Page), new byte[1]);
    }

    [Fact]
    public void A_pipe_is_not_begun_for_more_zeros_than_the_limit()
    {
        using MemoryStream sink = new();
        CoreSnapshot snapshot = Samples.Snapshot(1, Samples.Vma(0, 1L << 20, CoreVmaFlags.Read));

        Assert.Throws<CoreFormatException>(
            () => CoreWriter.Create(new PipeStream(sink), snapshot, new() { LargestPipeFileBytes = 1L << 32 }));
        Assert.Equal(0, sink.Length);
    }

    [Fact]
    public void A_full_disk_is_thrown_as_it_is_and_the_core_cannot_be_completed()
    {
        using CoreWriter writer = CoreWriter.Create(new PipeStream(failAfterBytes: 20_000), Samples.Snapshot());

        IOException failure = Assert.Throws<IOException>(() => writer.WriteMemory(Base, new byte[4 * Page]));
        IOException later = Assert.Throws<IOException>(() => writer.Complete(Samples.Json));

        Assert.Equal("No space left on device", failure.Message);
        Assert.Same(failure, later.InnerException);
    }

    [Fact]
    public void A_vendor_note_must_fit_and_may_fill_its_room()
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(stream, Samples.Snapshot(), new() { VendorNoteReserveBytes = 4096 });
        byte[] exact = [(byte)'{', .. Enumerable.Repeat((byte)' ', 4094), (byte)'}'];

        Assert.Throws<CoreFormatException>(() => writer.Complete([.. exact, (byte)' ']));
        Assert.Throws<CoreFormatException>(() => writer.Complete([]));
        writer.Complete(exact);

        using CoreFile core = CoreFile.Open(stream);
        Assert.Equal(exact, core.ReadNote(core.Notes[^1]));
        Assert.Equal(stream.Length, writer.FileLengthBytes);
        Assert.Throws<InvalidOperationException>(() => writer.WriteMemory(Base, new byte[1]));
    }

    public static TheoryData<string, CoreSnapshot> Senseless()
    {
        CoreSnapshot good = Samples.SmallSnapshot();
        CoreVma vma = good.Vmas[0];
        CoreThread thread = good.Threads[0];
        return new TheoryData<string, CoreSnapshot>
        {
            { "machine", good with { Machine = 183 } },
            { "page size", good with { PageSizeBytes = 3000 } },
            { "page size", good with { PageSizeBytes = 1 << 30 } },
            { "no thread", good with { Threads = [] } },
            { "twice", good with { Threads = [thread, thread] } },
            { "no registers", good with { Threads = [thread with { RegisterSets = [] }] } },
            { "short registers", good with { Threads = [thread with { RegisterSets = [new(1, new byte[215])] }] } },
            { "siginfo", good with { Threads = [thread with { SigInfo = new byte[1] }] } },
            { "order", good with { Vmas = [.. good.Vmas.Reverse()] } },
            { "overlap", good with { Vmas = [vma, vma] } },
            { "unaligned", good with { Vmas = [vma with { Start = vma.Start + 1 }] } },
            { "empty", good with { Vmas = [vma with { End = vma.Start, Regions = [] }] } },
            { "no regions", good with { Vmas = [vma with { Regions = [] }] } },
            { "region beyond", good with { Vmas = [vma with { Regions = [new(vma.Start, vma.End + Page, true)] }] } },
            { "region before", good with { Vmas = [vma with { Regions = [new(vma.Start - Page, vma.End, true)] }] } },
            { "NUL", good with { Vmas = [vma with { Path = "/a\0b" }] } },
            { "too big", good with { Vmas = [new() { Start = 0, End = 1UL << 63, Flags = 0, Regions = [new(0, 1UL << 63, true)] }] } },
        };
    }

    [Theory]
    [MemberData(nameof(Senseless))]
    public void A_senseless_snapshot_is_refused_before_anything_is_written(string what, CoreSnapshot snapshot)
    {
        using MemoryStream stream = new();

        Assert.Throws<CoreFormatException>(() => CoreWriter.Create(stream, snapshot));
        Assert.True(stream.Length == 0, what);
    }
}
