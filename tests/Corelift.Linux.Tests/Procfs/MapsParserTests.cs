using System.Diagnostics;
using System.Text;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Tests.Procfs;

public sealed class MapsParserTests
{
    private const string Line = "7f0000001000-7f0000003000 r-xs 0000a000 fe:10 247629                     /usr/bin/head";

    [Fact]
    public void A_line_gives_all_its_fields()
    {
        Vma vma = ParseLine(Line);
        Assert.Equal(0x7f0000001000UL, vma.Start.Value);
        Assert.Equal(0x7f0000003000UL, vma.End.Value);
        Assert.Equal(0x2000UL, vma.LengthBytes);
        Assert.Equal(VmaPermissions.Read | VmaPermissions.Execute | VmaPermissions.Shared, vma.Permissions);
        Assert.Equal(0xa000UL, vma.FileOffsetBytes);
        Assert.Equal((0xfeu, 0x10u, 247629UL), (vma.DeviceMajor, vma.DeviceMinor, vma.Inode));
        Assert.Equal("/usr/bin/head", vma.Name);
        Assert.True(vma is { IsFileBacked: true, IsShared: true, IsDeleted: false, IsPseudo: false });
    }

    [Theory]
    [InlineData("/a\\012b (deleted)", "/a\nb (deleted)")]
    [InlineData("/with blank  and\\040octal", "/with blank  and\\040octal")]
    [InlineData("/end\\012", "/end\n")]
    [InlineData("/cut\\01", "/cut\\01")]
    [InlineData("[anon:a b]", "[anon:a b]")]
    public void Only_the_newline_is_unescaped_in_names(string written, string meant) =>
        Assert.Equal(meant, ParseLine("1000-2000 rw-p 00000000 00:00 0    " + written).Name);

    [Theory]
    [InlineData("1000-2000 rw-p 00000000 00:00 0 ")]
    [InlineData("1000-2000 rw-p 00000000 00:00 0")]
    public void Anonymous_memory_has_no_name(string line)
    {
        Vma vma = ParseLine(line);
        Assert.Empty(vma.Name);
        Assert.False(vma.IsFileBacked);
    }

    [Fact]
    public void Names_that_are_no_utf8_are_lossy_and_the_vsyscall_page_fits()
    {
        byte[] line = [.. "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   /"u8, 0xff, 0xfe];
        Vma vma = MapsParser.ParseLine(line, ProcfsLimits.Default);
        Assert.Equal("/\uFFFD\uFFFD", vma.Name);
        Assert.Equal(0x1000UL, vma.LengthBytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1000")]
    [InlineData("1000-")]
    [InlineData("1000-2000")]
    [InlineData("1000-2000 rwx")]
    [InlineData("1000-2000 rwxq 0 00:00 0")]
    [InlineData("2000-1000 rwxp 0 00:00 0")]
    [InlineData("1000-1000 rwxp 0 00:00 0")]
    [InlineData("1000-2450 rw-p 0 00:00 0")]
    [InlineData("1450-2000 rw-p 0 00:00 0")]
    [InlineData("1000-2000 rw-p 0 0000 0")]
    [InlineData("1000-2000 rw-p 0 00:00 x")]
    [InlineData("1000-2000 rw-p 0 00:00 0/name")]
    [InlineData("-1000-2000 rw-p 0 00:00 0")]
    [InlineData("10000000000000000-20000000000000000 rw-p 0 00:00 0")]
    [InlineData("1000-2000 rw-p 0 fffffffff:00 0")]
    [InlineData("1000-2000 rw-p 0 00:00 99999999999999999999999")]
    public void Lines_that_no_kernel_writes_are_refused(string line) =>
        Assert.Throws<ProcfsFormatException>(() => ParseLine(line));

    [Fact]
    public void Every_cut_of_a_text_is_refused_or_a_shorter_list()
    {
        byte[] text = Encoding.ASCII.GetBytes("1000-2000 rw-p 0 00:00 0\n" + Line + "\n");
        for (int length = 0; length < text.Length; length++)
        {
            ReadOnlySpan<byte> cut = text.AsSpan(0, length);
            if (length == 0 || cut[^1] == '\n')
            {
                Assert.Equal(length == 0 ? 0 : 1, MapsParser.Parse(cut, ProcfsLimits.Default).Count);
            }
            else
            {
                byte[] copy = cut.ToArray();
                Assert.Throws<ProcfsFormatException>(() => MapsParser.Parse(copy, ProcfsLimits.Default));
            }
        }
    }

    [Fact]
    public void Lists_out_of_order_or_above_a_limit_are_refused()
    {
        byte[] swapped = "3000-4000 rw-p 0 00:00 0\n1000-2000 rw-p 0 00:00 0\n"u8.ToArray();
        byte[] two = "1000-2000 rw-p 0 00:00 0 /name\n3000-4000 rw-p 0 00:00 0\n"u8.ToArray();
        Assert.Throws<ProcfsFormatException>(() => MapsParser.Parse(swapped, ProcfsLimits.Default));
        Assert.Throws<ProcfsLimitException>(() => MapsParser.Parse(two, new ProcfsLimits { MaxVmas = 1 }));
        Assert.Throws<ProcfsFormatException>(() => MapsParser.Parse(two, new ProcfsLimits { MaxNameBytes = 4 }));
        Assert.Equal(2, MapsParser.Parse(two, new ProcfsLimits { MaxVmas = 2 }).Count);
    }

    [Theory] // previous, next, what is left of the next
    [InlineData("1000-3000 rw-p 0 00:00 0", "1000-5000 rw-p 0 00:00 0", 0x3000, 0x5000, 0)] // grew at its end
    [InlineData("3000-4000 r--p 2000 fe:00 7 /f", "1000-6000 r--p 0 fe:00 7 /f", 0x4000, 0x6000, 0x3000)] // merged with both
    [InlineData("1000-5000 rw-p 0 00:00 0", "3000-6000 r--p 0 00:00 0", 0x5000, 0x6000, 0)] // split, and grew
    public void What_comes_again_as_it_grew_between_two_reads_counts_once(string previous, string next, ulong start, ulong end, ulong offset)
    {
        List<Vma> vmas = MapsParser.Parse(Encoding.ASCII.GetBytes($"{previous}\n{next}\n"), ProcfsLimits.Default);
        Assert.Equal((start, end, offset), (vmas[1].Start.Value, vmas[1].End.Value, vmas[1].FileOffsetBytes));
    }

    [Fact]
    public void As_many_vmas_as_the_kernel_allows_parse_quickly()
    {
        var text = new StringBuilder();
        for (long i = 0; i < 65_530; i++)
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{(i * 2 * 4096) + 0x7f0000000000:x}-{(((i * 2) + 1) * 4096) + 0x7f0000000000:x} r--p 00000000 fe:00 {i}                     /usr/lib/some-library-{i % 9}.so\n");
        }

        byte[] bytes = Encoding.ASCII.GetBytes(text.ToString());
        _ = MapsParser.Parse(bytes, ProcfsLimits.Default);
        var best = TimeSpan.MaxValue;
        for (int i = 0; i < 10; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Assert.Equal(65_530, MapsParser.Parse(bytes, ProcfsLimits.Default).Count);
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            best = elapsed < best ? elapsed : best;
        }

        // 50 ms is the aim; several times that is a shared machine without optimisation, more is a parser gone quadratic.
        Assert.True(best < TimeSpan.FromMilliseconds(250), $"{best.TotalMilliseconds} ms");
    }

    [Fact]
    public void Flags_have_two_letters_each_and_come_back()
    {
        foreach (VmaKernelFlags flag in Enum.GetValues<VmaKernelFlags>().Where(f => f != VmaKernelFlags.None))
        {
            string letters = Assert.Single(VmaKernelFlagNames.Format(flag));
            Assert.Equal(flag, VmaKernelFlagNames.Parse(Encoding.ASCII.GetBytes(letters)));
        }

        Assert.Equal(VmaKernelFlags.DontDump, VmaKernelFlagNames.Parse("dd"u8));
        Assert.Equal(VmaKernelFlags.DontCopy, VmaKernelFlagNames.Parse("dc"u8));
        Assert.Equal(VmaKernelFlags.WipeOnFork, VmaKernelFlagNames.Parse("wf"u8));
        Assert.Equal(VmaKernelFlags.HugeTlb, VmaKernelFlagNames.Parse("ht"u8));
        Assert.Equal(VmaKernelFlags.IoMemory, VmaKernelFlagNames.Parse("io"u8));
        Assert.Equal(VmaKernelFlags.None, VmaKernelFlagNames.Parse("zz"u8));
    }

    private static Vma ParseLine(string line) => MapsParser.ParseLine(Encoding.UTF8.GetBytes(line), ProcfsLimits.Default);
}
