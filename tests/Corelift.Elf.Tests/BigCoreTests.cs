using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Corelift.Elf.Tests;

/// <summary>Cores at and beyond the sizes that the format, the kernel and the readers set.</summary>
public sealed partial class BigCoreTests : IDisposable
{
    private const int Page = Samples.Page;

    private readonly TempFolder _folder = new();

    [Fact]
    public void Ten_thousand_threads_and_65530_vmas_are_written_quickly_and_read_back()
    {
        CoreSnapshot snapshot = Samples.Snapshot(10_000, Samples.Alternating(65_530));
        Stopwatch watch = Stopwatch.StartNew();
        string file = Write(snapshot);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");

        using CoreFile core = CoreFile.Open(File.OpenRead(file));
        Assert.Equal(65_532, core.ProgramHeaders.Count);
        Assert.Equal(snapshot.Threads.Select(t => t.Tid), core.ReadThreads().Select(t => t.Tid));
        Assert.True(CoreVerifier.Verify(core).IsSound);

        string notes = Tool.Run("eu-readelf", "-n", file);
        Assert.Equal(10_000, PrStatusLine().Count(notes));
        Assert.Contains("X86_XSTATE", notes, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(65_532, false, false)] // 65,534 headers: the most that e_phnum counts
    [InlineData(65_533, true, false)] // 65,535: PN_XNUM
    [InlineData(70_000, true, false)]
    [InlineData(65_532, false, true)]
    [InlineData(65_533, true, true)]
    public void Headers_beyond_65534_are_counted_in_section_header_0(int vmas, bool inSection, bool isLate)
    {
        string file = Write(Samples.Snapshot(1, Samples.Alternating(vmas)), isLate: isLate);

        string header = Tool.Run("readelf", "-hW", file);
        Assert.Equal(inSection, header.Contains("Number of program headers:         65535 (", StringComparison.Ordinal));
        Assert.Contains($"{vmas + 2}", header, StringComparison.Ordinal);
        Assert.Equal(vmas, LoadLine().Count(Tool.Run("readelf", "-lW", file)));
        Assert.Equal(vmas, LoadLine().Count(Tool.Run("eu-readelf", "-l", file)));
        using CoreFile core = CoreFile.Open(File.OpenRead(file));
        Assert.Equal(vmas + 2, core.ProgramHeaders.Count);
        Assert.Empty(CoreVerifier.Verify(core).Findings);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Gdb_reads_memory_of_a_core_with_more_headers_than_e_phnum_counts(bool isLate)
    {
        CoreVma[] vmas = Samples.Alternating(70_000);
        string file = Write(Samples.Snapshot(1, vmas), w => w.WriteMemory(vmas[69_900].Start, [0x2a, 0, 0, 0]), isLate);

        string output = Tool.Run("gdb", "-nx", "-batch", "-ex", $"core-file {file}", "-ex", $"x/dw 0x{vmas[69_900].Start:x}");

        Assert.Contains($"0x{vmas[69_900].Start:x}:\t42", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Neighbours_are_merged_only_when_there_are_too_many()
    {
        CoreVma[] few = [.. Enumerable.Range(0, 100).Select(i => Samples.Vma(i, 1, CoreVmaFlags.Read))];
        CoreVma[] many = [.. Enumerable.Range(0, 20_000).Select(i => Samples.Vma(i, 1, CoreVmaFlags.Read, hasBytes: i < 15_000))];

        Assert.Equal(102, HeaderCount(Samples.Snapshot(1, few)));
        Assert.Equal(2 + 2, HeaderCount(Samples.Snapshot(1, many)));
    }

    [Fact]
    public void Files_stay_apart_as_long_as_that_leaves_few_enough_headers()
    {
        CoreVma[] vmas = [.. Enumerable.Range(0, 20_000).Select(i => Samples.Vma(i, 1, CoreVmaFlags.Read, path: i < 10_000 ? "/a" : "/b"))];
        CoreVma[] scattered = [.. Enumerable.Range(0, 20_000).Select(i => Samples.Vma(i, 1, CoreVmaFlags.Read, path: $"/{i}"))];

        Assert.Equal(2 + 2, HeaderCount(Samples.Snapshot(1, vmas)));
        Assert.Equal(1 + 2, HeaderCount(Samples.Snapshot(1, scattered)));
    }

    [Fact]
    public void Mapped_files_are_merged_where_they_follow_each_other_in_the_file()
    {
        // Pairs that continue in the file, then a jump: 20,000 mappings, 10,000 of them the second half of a pair.
        CoreVma[] vmas = [.. Enumerable.Range(0, 20_000).Select(i =>
            Samples.Vma(i, 1, CoreVmaFlags.Read, path: "/lib", fileOffsetBytes: (ulong)((i * 10) - (i % 2 * 9)) * Page))];
        using CoreFile merged = CoreFile.Open(File.OpenRead(Write(Samples.Snapshot(1, vmas))));
        using CoreFile whole = CoreFile.Open(File.OpenRead(Write(Samples.Snapshot(1, vmas[..9000]))));

        IReadOnlyList<CoreMappedFile> files = merged.ReadMappedFiles();
        Assert.Equal(10_000, files.Count);
        Assert.Equal(new CoreMappedFile(vmas[2].Start, vmas[3].End, 20 * Page, "/lib"), files[1]);
        Assert.Equal(9000, whole.ReadMappedFiles().Count);
    }

    [Fact]
    public void A_terabyte_of_absent_pages_takes_no_room_on_disk()
    {
        const long Pages = 1L << 28;
        CoreSnapshot snapshot = Samples.Snapshot(1, Samples.Vma(0, Pages, CoreVmaFlags.Read | CoreVmaFlags.Write));
        byte[] chunk = new byte[1 << 20]; // of which two pages are not zero
        chunk[10 * Page] = 1;
        chunk[^1] = 2;
        ulong last = Samples.Base + (ulong)(Pages * Page) - (ulong)chunk.Length;
        string file = Write(snapshot, w =>
        {
            w.WriteMemory(Samples.Base, chunk);
            w.WriteMemory(last, chunk);
        });

        Assert.True(new FileInfo(file).Length > Pages * Page);
        Assert.InRange(Tool.AllocatedBytes(file), 4 * Page, 256 * 1024);
        using CoreFile core = CoreFile.Open(File.OpenRead(file));
        byte[] read = new byte[chunk.Length];
        Assert.Equal(read.Length, core.Read(last, read));
        Assert.Equal(chunk, read);
    }

    public void Dispose() => _folder.Dispose();

    private static int HeaderCount(CoreSnapshot snapshot)
    {
        using MemoryStream stream = new();
        using CoreWriter writer = CoreWriter.Create(new PipeStream(stream), snapshot);
        return writer.ProgramHeaderCount;
    }

    private string Write(CoreSnapshot snapshot, Action<CoreWriter>? fill = null, bool isLate = false)
    {
        string file = _folder.Path(Guid.NewGuid().ToString("N"));
        using FileStream stream = new(file, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 0);
        using CoreWriter writer = isLate
            ? CoreWriter.CreateLive(stream, Page, snapshot.Vmas.Where((_, i) => i % 3 == 0).Select(v => (v.Start, v.End)))
            : CoreWriter.Create(stream, snapshot);
        if (isLate)
        {
            writer.BeginInstant(snapshot);
        }

        fill?.Invoke(writer);
        writer.Complete(Samples.Json);
        return file;
    }

    [GeneratedRegex(@"^  CORE +336  PRSTATUS", RegexOptions.Multiline)]
    private static partial Regex PrStatusLine();

    [GeneratedRegex(@"^  LOAD ", RegexOptions.Multiline)]
    private static partial Regex LoadLine();
}
