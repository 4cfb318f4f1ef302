using Corelift.Testing;

namespace Corelift.Elf.Tests;

/// <summary>Memory that comes before the instant, and VMAs that are others at the instant than they were before.</summary>
public sealed class LiveWriterTests : IDisposable
{
    private const int Page = Samples.Page;
    private const CoreVmaFlags Writable = CoreVmaFlags.Read | CoreVmaFlags.Write;

    private readonly TempFolder _folder = new();

    /// <summary>What was live, what is at the instant, and which PT_LOADs come of it: pages from the base on, their number, the file's page.</summary>
    public static TheoryData<string, (int, int)[], (int, int)[], (int, int, int)[]> Changes() => new()
    {
        { "the same", [(0, 4)], [(0, 4)], [(0, 4, 1)] },
        { "grown", [(0, 2), (8, 2)], [(0, 4), (8, 2)], [(0, 2, 1), (2, 2, 5), (8, 2, 3)] },
        { "grown where the file has room right behind", [(2, 4)], [(2, 6)], [(2, 6, 1)] },
        { "grown downwards", [(2, 4)], [(0, 6)], [(0, 2, 5), (2, 4, 1)] },
        { "grown at both ends", [(2, 2)], [(0, 6)], [(0, 2, 3), (2, 2, 1), (4, 2, 5)] },
        { "shrunk", [(0, 4)], [(1, 2)], [(1, 2, 2)] },
        { "split", [(0, 6)], [(0, 2), (4, 2)], [(0, 2, 1), (4, 2, 5)] },
        { "joined", [(0, 2), (4, 2)], [(0, 6)], [(0, 2, 1), (2, 2, 5), (4, 2, 3)] },
        { "joined where neighbours were two", [(0, 2), (2, 2)], [(0, 4)], [(0, 4, 1)] },
        { "moved", [(0, 4)], [(10, 4)], [(10, 4, 5)] },
        { "vanished", [(0, 2), (4, 2), (8, 2)], [(0, 2), (8, 2)], [(0, 2, 1), (8, 2, 5)] },
        { "all vanished", [(0, 2)], [(8, 1)], [(8, 1, 3)] },
        { "new between", [(0, 2), (8, 2)], [(0, 2), (4, 2), (8, 2)], [(0, 2, 1), (4, 2, 5), (8, 2, 3)] },
        { "new ones that follow each other", [(0, 2)], [(4, 1), (5, 1)], [(4, 1, 3), (5, 1, 4)] },
        { "nothing was live", [], [(0, 2)], [(0, 2, 1)] },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void Regions_keep_the_room_they_had_and_get_room_behind_it_where_they_had_none(
        string change, (int, int)[] live, (int, int)[] final, (int, int, int)[] loads)
    {
        using LiveModel model = new(_folder.Path("core"), live);
        model.WriteLive(1);
        model.BeginInstant([.. final.Select(range => Samples.Vma(range.Item1, range.Item2, Writable))]);
        model.Complete();

        using CoreFile core = CoreFile.Open(File.OpenRead(model.Path));
        Assert.Equal(
            loads.Select(load => (LiveModel.Address(load.Item1), (ulong)(load.Item2 * Page), (ulong)(load.Item3 * Page))),
            core.ProgramHeaders.Where(h => h.IsLoad).Select(h => (h.Address, h.FileBytes, h.OffsetBytes)));
        model.AssertWhole();
        int firstNew = 1 + live.Sum(range => range.Item2);
        int kept = loads.Where(load => load.Item3 < firstNew).Sum(load => Math.Min(load.Item2, firstNew - load.Item3));
        Assert.True(model.UnreferencedPages == firstNew - 1 - kept, change);
    }

    [Fact]
    public void Whatever_comes_in_whatever_order_the_last_word_of_each_page_counts()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            Random random = new(seed);
            using LiveModel model = new(_folder.Path($"core{seed}"), LiveModel.Ranges(random));
            for (int round = random.Next(4); round > 0; round--)
            {
                model.SayAnything(random);
            }

            model.BeginInstant(LiveModel.Vmas(random));
            model.SayAnything(random);
            model.Complete();
            model.AssertWhole();
        }
    }

    [Fact]
    public void Memory_of_addresses_that_were_not_live_is_refused_until_the_instant_has_them()
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.CreateLive(stream, Page, [(Samples.Base, Samples.Base + Page)]);

        Assert.Throws<CoreFormatException>(() => writer.WriteMemory(Samples.Base + Page, new byte[1]));
        Assert.Throws<CoreFormatException>(() => writer.WriteZeros(Samples.Base, Samples.Base + (2 * Page)));
        Assert.Throws<CoreFormatException>(() => writer.WriteZeros(Samples.Base, Samples.Base + 1));
        Assert.Throws<InvalidOperationException>(() => writer.Complete(Samples.Json));
        Assert.Throws<InvalidOperationException>(() => writer.FileLengthBytes);
        writer.BeginInstant(Samples.Snapshot(1, Samples.Vma(1, 1, Writable)));
        Assert.Throws<CoreFormatException>(() => writer.WriteMemory(Samples.Base, new byte[1]));
        writer.WriteMemory(Samples.Base + Page, new byte[1]);
        Assert.Throws<InvalidOperationException>(() => writer.BeginInstant(Samples.Snapshot()));
        writer.Complete(Samples.Json);

        Assert.Empty(CoreVerifier.Verify(stream).Findings);
        Assert.Equal(stream.Length, writer.FileLengthBytes);
    }

    [Fact]
    public void Live_memory_needs_a_destination_that_can_seek_and_ranges_that_make_sense()
    {
        Assert.Throws<ArgumentException>(() => CoreWriter.CreateLive(new PipeStream(), Page, []));
        foreach ((ulong, ulong)[] ranges in new (ulong, ulong)[][] { [(1, Page)], [(0, 1)], [(Page, Page)], [(Page, 0)], [(0, 2 * Page), (Page, 3 * Page)], [(0, 1UL << 63)] })
        {
            Assert.Throws<CoreFormatException>(() => CoreWriter.CreateLive(new MemoryStream(), Page, ranges));
        }

        Assert.Throws<CoreFormatException>(() => CoreWriter.CreateLive(new MemoryStream(), 3000, []));
        using CoreWriter writer = CoreWriter.CreateLive(new MemoryStream(), 2 * Page, []);
        Assert.Throws<CoreFormatException>(() => writer.BeginInstant(Samples.Snapshot())); // other pages
    }

    [Fact]
    public void A_core_without_its_instant_or_without_its_note_is_not_sound()
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.CreateLive(stream, Page, [(Samples.Base, Samples.Base + (4 * Page))]);
        writer.WriteMemory(Samples.Base, Samples.Pattern(4 * Page, 1));
        Assert.False(CoreVerifier.Verify(stream).IsSound);
        writer.BeginInstant(Samples.SmallSnapshot());
        Assert.False(CoreVerifier.Verify(stream).IsSound);
        writer.Complete(Samples.Json);
        byte[] core = stream.ToArray();
        Assert.True(CoreVerifier.Verify(stream).IsSound);

        for (int length = 0; length < core.Length; length += 7)
        {
            Assert.False(CoreVerifier.Verify(new MemoryStream(core, 0, length)).IsSound, $"cut at {length} of {core.Length}");
        }
    }

    [Fact]
    public void Zeros_over_memory_that_never_came_take_no_room_on_disk()
    {
        const ulong Pages = 1UL << 28; // a terabyte
        ulong end = Samples.Base + (Pages * Page);
        string path = _folder.Path("sparse");
        using (FileStream stream = new(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 0))
        using (CoreWriter writer = CoreWriter.CreateLive(stream, Page, [(Samples.Base, end)]))
        {
            writer.WriteMemory(end - Page, Samples.Pattern(Page, 1));
            writer.WriteMemory(Samples.Base, new byte[1 << 20]);
            writer.BeginInstant(Samples.Snapshot(1, Samples.Vma(0, (long)Pages, Writable)));
            writer.WriteZeros(Samples.Base, end);
            writer.WriteMemory(Samples.Base + Page, Samples.Pattern(Page, 2));
            Assert.Equal((Page, 0), (writer.HeldBytes, writer.UnreferencedBytes));
            writer.Complete(Samples.Json);
        }

        Assert.InRange(Tool.AllocatedBytes(path), 3 * Page, 256 * 1024);
        using CoreImage core = new(path);
        Assert.Equal(Samples.Pattern(Page, 2), core.Read(Samples.Base + Page, Page));
        Assert.Equal(new byte[Page], core.Read(end - Page, Page));
    }

    [Fact]
    public void Neighbours_are_merged_only_where_the_file_has_them_side_by_side()
    {
        // Every other page was live: the pages between got their room later, so nothing can be merged.
        CoreVma[] vmas = [.. Enumerable.Range(0, 12_000).Select(i => Samples.Vma(i, 1, Writable))];
        using MemoryStream apart = new();
        using CoreWriter writer = CoreWriter.CreateLive(apart, Page, vmas.Where((_, i) => i % 2 == 0).Select(v => (v.Start, v.End)));
        writer.BeginInstant(Samples.Snapshot(1, vmas));
        Assert.Equal(12_002, writer.ProgramHeaderCount);

        using MemoryStream together = new();
        using CoreWriter other = CoreWriter.CreateLive(together, Page, vmas.Take(6000).Select(v => (v.Start, v.End)));
        other.BeginInstant(Samples.Snapshot(1, vmas));
        Assert.Equal(1 + 2, other.ProgramHeaderCount); // the new room happens to follow
    }

    public void Dispose() => _folder.Dispose();
}
