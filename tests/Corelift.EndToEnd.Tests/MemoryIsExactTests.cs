using System.Globalization;
using Corelift.V1;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Memory is a known function of address, so every byte is compared; pairs written together are never torn.</summary>
public sealed class MemoryIsExactTests : AgentTest
{
    private static readonly string[] s_everyKind =
    [
        "--mib", "24", "--zero-mib", "64", "--shared-mib", "3", "--shared-zero-mib", "64", "--memfd-mib", "2", "--dontfork-mib", "2",
        "--wipeonfork-mib", "2", "--dontdump-mib", "2", "--file-mib", "3", "--threads", "3",
    ];

    [Theory, MemberData(nameof(Strategies))]
    public async Task Content_full_has_every_byte_of_every_kind_of_memory(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", s_everyKind);
        await SnapshotUnharmedAsync(target, strategy, "full");
        using (CoreImage usual = new(CorePath))
        {
            Assert.False(usual.Holds(target.Range("dontdump")), "MADV_DONTDUMP is a secret that was not asked for");
        }

        await SnapshotAsync(target, strategy, "full", "--include-secrets", "--force");
        using CoreImage core = new(CorePath);
        Assert.All(
            ["private", "shared", "memfd", "dontfork", "wipeonfork", "dontdump"],
            (string range) => core.AssertHolds(target.Range(range)));
        core.AssertHolds(target.Range("file"), epochOfPage: page => page % 3 == 0 ? 1ul : 0ul);
        Expectations.StacksAreRight(core, target);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Content_default_leaves_out_what_the_target_asked_for_and_no_more(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", s_everyKind);
        await SnapshotUnharmedAsync(target, strategy);

        using CoreImage core = new(CorePath);
        Assert.All(["private", "shared", "memfd", "dontfork", "wipeonfork"], (string range) => core.AssertHolds(target.Range(range)));
        Assert.False(core.Holds(target.Range("dontdump")), "MADV_DONTDUMP is honoured");
        ulong modified = target.Range("file").Start;
        Assert.Equal(-1, TraceeMemory.FirstDifference(core.Read(modified, TraceeMemory.PageSize), modified, epoch: 1));
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task The_targets_own_coredump_filter_decides_on_shared_memory(string strategy)
    {
        using LiveProcess target = LiveProcess.Start(new LaunchOptions { CoredumpFilter = 0x31 }, "canary", s_everyKind);
        await SnapshotUnharmedAsync(target, strategy);

        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
        Assert.False(core.Holds(target.Range("shared")));
        Assert.False(core.Holds(target.Range("memfd")));
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Untouched_memory_costs_neither_wire_nor_disk_nor_the_target_any(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--zero-mib", "512", "--shared-zero-mib", "512");
        SnapshotReport report = await SnapshotUnharmedAsync(target, strategy, "full"); // the check counts populated pages

        Assert.InRange(report.BytesCaptured, 1, 32 << 20);
        CommandResult blocks = (await Command.RunAsync("stat", ["--format", "%b", CorePath])).Checked();
        Assert.InRange(512 * long.Parse(blocks.Output, CultureInfo.InvariantCulture), 1, 32 << 20);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Page_pairs_that_are_written_together_are_never_torn(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("pairs", "--pairs", "512", "--threads", "3", "--mib", "32");
        for (int round = 0; round < 5; round++)
        {
            await SnapshotAsync(target, strategy);
            await target.CheckAsync();
            using CoreImage core = new(CorePath);
            Expectations.PairsAreWhole(core, target);
            File.Delete(CorePath);
        }
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Memory_around_words_that_change_all_the_while_is_exact(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("spinner", "--mib", "8", "--dirty-mbps", "200", "--dirty-range-mib", "16");
        await SnapshotAsync(target, strategy);
        await target.CheckAsync();

        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
        AddressSpan dirty = target.Range("dirty");
        for (ulong page = dirty.Start; page < dirty.End; page += TraceeMemory.PageSize)
        {
            core.AssertHolds(new AddressSpan(page + sizeof(ulong), page + TraceeMemory.PageSize));
        }
    }

    [Theory]
    [InlineData(Compression.Unspecified)]
    [InlineData(Compression.None)]
    [InlineData(Compression.Lz4)]
    [InlineData(Compression.Zstd)]
    public async Task The_stream_keeps_the_contract_with_every_packing(Compression compression)
    {
        foreach (Strategy strategy in (Strategy[])[Strategy.Fork, Strategy.Precopy])
        {
            await KeepsTheContractAsync(compression, strategy);
        }
    }

    private async Task KeepsTheContractAsync(Compression compression, Strategy strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "8", "--threads", "3", "--zero-mib", "4");
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest request = CaptureStream.Request(target, strategy);
        request.Options.Compression = compression;

        CaptureStream stream = await CaptureStream.ReadAsync(channel, request);
        Assert.Equal(4, stream.Threads.Count);
        Assert.Equal(strategy, stream.Instant.Strategy);
        Assert.True(stream.Trailer!.MemoryBytes >= 8 << 20);
        Assert.All(stream.Threads, thread => Assert.Contains(thread.RegisterSets, set => set is { NoteType: 1, Data.Length: 216 }));
        await target.CheckAsync();
    }

    [Theory]
    [InlineData(Strategy.Fork)]
    [InlineData(Strategy.Direct)]
    public async Task Memory_that_did_not_fit_the_pause_is_labelled(Strategy strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--shared-mib", "8", "--dontfork-mib", "4", "--wipeonfork-mib", "4");
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest request = CaptureStream.Request(target, strategy, Content.Full);
        request.Options.PauseCopyLimitBytes = 1 << 20;

        CaptureStream stream = await CaptureStream.ReadAsync(channel, request);
        Region[] Of(string range) =>
            [.. stream.Vmas.SelectMany(vma => vma.Regions).Where(region => region.Range.Start < target.Range(range).End && region.Range.End > target.Range(range).Start)];
        if (strategy == Strategy.Direct)
        {
            Assert.All(Of("dontfork"), region => Assert.Equal(Consistency.Instant, region.Consistency));
            Assert.All(Of("shared"), region => Assert.NotEqual(Consistency.Live, region.Consistency));
        }
        else
        {
            Assert.Contains(Of("dontfork"), region => region.HoleReason == HoleReason.NotForked);
            Assert.Contains(Of("wipeonfork"), region => region.HoleReason == HoleReason.WipedOnFork);
            Assert.Contains(Of("shared"), region => region.Consistency == Consistency.Live);
            Assert.NotEmpty(stream.Trailer!.Warnings.Concat(stream.Started.Plan.Warnings));
        }

        await target.CheckAsync();
    }
}
