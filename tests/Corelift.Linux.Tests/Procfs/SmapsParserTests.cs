using Corelift.Linux.Procfs;

namespace Corelift.Linux.Tests.Procfs;

public sealed class SmapsParserTests
{
    private const string Text = """
        1000-3000 rw-p 00000000 00:00 0                          [heap]
        Size:                  8 kB
        KernelPageSize:        4 kB
        Rss:                   8 kB
        Anonymous:             4 kB
        Private_Hugetlb:    2048 kB
        Swap:                 12 kB
        FutureKey:       whatever it is
        VmFlags: rd wr mr dd dc zz ac 
        5000-6000 r--s 00000000 fe:00 1                          /x: y
        Rss:                   0 kB
        VmFlags: rd sh 

        """;

    [Fact]
    public void Blocks_keep_their_numbers_apart()
    {
        List<VmaDetails> all = Parse(Text);
        Assert.Equal(2, all.Count);
        Assert.Equal((8192UL, 4096UL, 12288UL, 2UL << 20), (all[0].ResidentBytes, all[0].AnonymousBytes, all[0].SwappedBytes, all[0].PrivateHugetlbBytes));
        Assert.Equal(
            VmaKernelFlags.Read | VmaKernelFlags.Write | VmaKernelFlags.MayRead | VmaKernelFlags.DontDump | VmaKernelFlags.DontCopy | VmaKernelFlags.Accountable,
            all[0].Flags);
        Assert.Equal(["zz"], all[0].OtherFlags);
        Assert.Equal("/x: y", all[1].Vma.Name);
        Assert.True(all[1].IsEmpty);
        Assert.False(all[0].IsEmpty);
        Assert.Equal(VmaKernelFlags.Read | VmaKernelFlags.Shared, all[1].Flags);
    }

    [Theory]
    [InlineData("1000-2000 rw-p 0 00:00 0\nRss: 99999999999999999999 kB\n")]
    [InlineData("1000-2000 rw-p 0 00:00 0\nRss: 18446744073709551615 kB\n")]
    [InlineData("1000-2000 rw-p 0 00:00 0\nRss: 1\n")]
    [InlineData("1000-2000 rw-p 0 00:00 0\nRss: -1 kB\n")]
    [InlineData("1000-2000 rw-p 0 00:00 0\nNo colon\n")]
    [InlineData("1000-2000 rw-p 0 00:00 0\nRss: 1 kB")]
    public void Absurd_and_cut_texts_are_refused(string text) => Assert.Throws<ProcfsFormatException>(() => Parse(text));

    [Fact]
    public void A_rollup_is_one_block()
    {
        Assert.Equal(4096UL, SmapsParser.ParseRollup("1000-2000 ---p 00000000 00:00 0      [rollup]\nRss: 4 kB\n"u8, ProcfsLimits.Default).ResidentBytes);
        Assert.Throws<ProcfsFormatException>(() => SmapsParser.ParseRollup([], ProcfsLimits.Default));
    }

    private static List<VmaDetails> Parse(string text) => SmapsParser.Parse(System.Text.Encoding.UTF8.GetBytes(text), ProcfsLimits.Default);
}
