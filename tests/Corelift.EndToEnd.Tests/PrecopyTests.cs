using System.Text.Json;
using Corelift.Testing.Oracles;
using Corelift.V1;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Strategy precopy on a target that changes while its memory is read.</summary>
public sealed class PrecopyTests : AgentTest
{
    private const long MebiByte = 1 << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly string[] s_slowly = ["--rate-limit", "40MiB"];

    [Theory]
    [InlineData(0)]
    [InlineData(24)]
    [InlineData(60)]
    public async Task A_layout_that_changes_between_the_rounds_is_right_in_the_core(int afterMebibytes)
    {
        using LiveProcess target = LiveProcess.Start("layout");
        Task<SnapshotReport> snapshot = SnapshotAsync(target, "precopy", "default", s_slowly);
        await UntilReadAsync(target, afterMebibytes);
        string answer = await target.AskAsync("change");
        await target.CheckAsync("fork");
        await snapshot;
        await target.CheckAsync();

        Dictionary<string, AddressSpan> now = answer.Split(' ').Skip(1).Select(word => word.Split('=')).ToDictionary(pair => pair[0], pair => AddressSpan.Parse(pair[1]));
        using CoreImage core = new(CorePath);
        AssertChanged(core, target, now);
        Assert.False(Proc.TracksWrites(target.Pid), "no protection stays behind");
    }

    [Fact]
    public async Task A_core_whose_layout_changed_opens_everywhere()
    {
        using LiveProcess target = LiveProcess.Start("layout");
        Task<SnapshotReport> snapshot = SnapshotAsync(target, "precopy", "default", s_slowly);
        await UntilReadAsync(target, 24);
        Assert.StartsWith("OK", await target.AskAsync("change"), StringComparison.Ordinal);
        await snapshot;

        Assert.Equal(0, (await Cli.RunAsync((string?)null, "verify", CorePath)).ExitCode);
        Assert.Empty(Gdb.Warnings(await Gdb.RunAsync(target.Executable, CorePath, "info threads", "bt", "info proc mappings")));
        Assert.Contains("main", (await Gdb.BacktracesAsync(target.Executable, CorePath)).Single().Value);
        Assert.Contains("main", (await Lldb.BacktracesAsync(target.Executable, CorePath)).Single().Value);
        Assert.Contains("main", (await Elfutils.BacktracesAsync(target.Executable, CorePath)).Single().Value);
    }

    [Fact]
    public async Task An_execve_between_the_rounds_is_a_clear_error()
    {
        using LiveProcess target = LiveProcess.Start("layout");
        Task<CommandResult> snapshot = RunSlowlyAsync(target);
        await UntilReadAsync(target, 8);
        target.Tell("exec");

        CommandResult result = await snapshot;
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("execve", result.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(CorePath), "there is no core");
        Assert.True(target.IsAlive);
        await Agent.AssertNoWorkersAsync();
    }

    [Fact]
    public async Task A_target_that_ends_between_the_rounds_is_a_clear_error()
    {
        using LiveProcess target = LiveProcess.Start("layout");
        Task<CommandResult> snapshot = RunSlowlyAsync(target);
        await UntilReadAsync(target, 8);
        target.Tell("exit");

        CommandResult result = await snapshot;
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("ended", result.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(CorePath), "there is no core");
        await Agent.AssertNoWorkersAsync();
    }

    [Theory]
    [InlineData("agent")]
    [InlineData("workers")]
    public async Task A_killed_agent_or_worker_takes_its_protection_along(string victim)
    {
        using LiveProcess target = LiveProcess.Start("layout");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        Task<CommandResult> snapshot = RunSlowlyAsync(target);
        await UntilReadAsync(target, 8);
        ExpectedErrors = ".";
        if (victim == "agent")
        {
            await Agent.KillAsync();
        }
        else
        {
            Assert.True(Agent.KillWorkers() > 0);
        }

        Assert.NotEqual(0, (await snapshot).ExitCode);
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
        Assert.False(File.Exists(CorePath), "there is no core");
    }

    [Fact]
    public async Task A_dirty_set_that_does_not_shrink_goes_into_an_image_in_the_same_capture()
    {
        using LiveProcess target = LiveProcess.Start("spinner", "--mib", "8", "--dirty-mbps", "4000", "--dirty-range-mib", "512");
        SnapshotReport report = await SnapshotAsync(target, "precopy");
        await target.CheckAsync();

        // Whichever of the two it came to: every word but the first of each page is still of epoch 0.
        Assert.Contains(report.Strategy, (string[])["precopy", "fork"]);
        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
        AddressSpan dirty = target.Range("dirty");
        for (ulong page = dirty.Start; page < dirty.End; page += 16 * TraceeMemory.PageSize)
        {
            core.AssertHolds(new AddressSpan(page + sizeof(ulong), page + TraceeMemory.PageSize));
        }
    }

    [Fact]
    public async Task Pages_written_together_are_never_torn_between_copies_and_an_image()
    {
        // So many pairs, written as fast as can be, that copying what was written takes longer than a fork.
        using LiveProcess target = LiveProcess.Start("pairs", "--pairs", "40000", "--threads", "2", "--mib", "8");
        for (int round = 0; round < 3; round++)
        {
            await SnapshotAsync(target, "precopy");
            await target.CheckAsync();
            using CoreImage core = new(CorePath);
            Expectations.PairsAreWhole(core, target);
            File.Delete(CorePath);
        }
    }

    [Fact]
    public async Task Shared_memory_beyond_the_budget_of_the_pause_is_labelled()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--shared-mib", "16", "--memfd-mib", "4", "--mib", "4");
        await SnapshotUnharmedAsync(target, "precopy", "full");

        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("shared"));
        core.AssertHolds(target.Range("memfd"));
        CommandResult verify = (await Cli.RunAsync((string?)null, "verify", CorePath)).Checked();
        Assert.Contains("shared", verify.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pipe_gets_another_strategy_and_precopy_is_refused_for_one()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64");
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest request = CaptureStream.Request(target, Strategy.Unspecified);
        request.Options.SinkCannotSeek = true;
        CaptureStream stream = await CaptureStream.ReadAsync(channel, request);
        Assert.NotEqual(Strategy.Precopy, stream.Instant.Strategy);

        request.Options.Strategy = Strategy.Precopy;
        await RpcAssert.FailsWithReasonAsync(() => CaptureStream.ReadAsync(channel, request), Grpc.Core.StatusCode.FailedPrecondition, "PRECOPY_NOT_POSSIBLE");
        await target.CheckAsync();
    }

    [Fact]
    public async Task Auto_chooses_precopy_says_why_and_keeps_the_pause_by_phase()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "128", "--threads", "4");
        CommandResult result = (await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--json")).Checked();
        using JsonDocument report = JsonDocument.Parse(result.Output);

        Assert.Equal("precopy", report.RootElement.GetProperty("strategy").GetString());
        Assert.Contains(report.RootElement.GetProperty("reasons").EnumerateArray(), reason => reason.GetString()!.StartsWith("precopy:", StringComparison.Ordinal));
        string[] phases = [.. report.RootElement.GetProperty("phases").EnumerateArray().Select(phase => phase.GetProperty("name").GetString()!)];
        Assert.Contains("scan", phases);
        Assert.Contains("interrupt", phases);
        Assert.NotEmpty(report.RootElement.GetProperty("rounds").EnumerateArray());
    }

    private async Task<CommandResult> RunSlowlyAsync(LiveProcess target) =>
        await Cli.RunAsync(Agent, ["snapshot", $"{target.Pid}", "-o", CorePath, "--strategy", "precopy", .. s_slowly]);

    /// <summary>Waits until writes are tracked and the client has written this much of the live rounds.</summary>
    private async Task UntilReadAsync(LiveProcess target, int mebibytes)
    {
        await Wait.UntilAsync(() => Proc.HasTrackedWrites(target.Pid), s_patience, "writes tracked");
        await Wait.UntilAsync(
            () => new DirectoryInfo(Scratch.Path).GetFiles().Sum(file => file.Length) >= mebibytes * MebiByte, s_patience, $"{mebibytes} MiB written");
    }

    private static void AssertChanged(CoreImage core, LiveProcess target, Dictionary<string, AddressSpan> now)
    {
        const int Area = (int)(4 * MebiByte);
        ulong half = Area / 2;
        core.AssertHolds(target.Range("filler"));
        AddressSpan grown = target.Range("grown");
        core.AssertHolds(grown);
        core.AssertHolds(new AddressSpan(grown.End, grown.End + half), epoch: 2);
        AddressSpan moved = now["moved"];
        Assert.Equal(TraceeMemory.Expected(target.Range("moved").Start, Area / 2), core.Read(moved.Start, Area / 2));
        core.AssertHolds(new AddressSpan(moved.Start + half, moved.End), epoch: 1);
        core.AssertHolds(target.Range("split"));
        core.AssertHolds(now["arrived"], epoch: 4);
        core.AssertHolds(target.Range("rewritten"), epoch: 1);
        AssertZero(core, target.Range("zeroed"));
        AddressSpan halved = target.Range("halved");
        AssertZero(core, halved with { End = halved.Start + half });
        core.AssertHolds(halved with { Start = halved.Start + half });
        AddressSpan replaced = target.Range("replaced");
        for (ulong page = 0; page < Area; page += TraceeMemory.PageSize)
        {
            AddressSpan span = new(replaced.Start + page, replaced.Start + page + TraceeMemory.PageSize);
            if (page < half && page % (4 * TraceeMemory.PageSize) == 0)
            {
                core.AssertHolds(span, epoch: 3);
            }
            else
            {
                AssertZero(core, span);
            }
        }
    }

    private static void AssertZero(CoreImage core, AddressSpan range) =>
        Assert.Equal(-1, core.Read(range.Start, (int)range.Length).AsSpan().IndexOfAnyExcept((byte)0));
}
