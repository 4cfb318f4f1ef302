using Corelift.Testing.Oracles;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Targets that are large, in motion, guarded or half gone: a full core or a clear error, and no harm.</summary>
public sealed class HardTargetsTests : AgentTest
{
    private const int SigCont = 18;

    [Theory, MemberData(nameof(Strategies))]
    public async Task Sixty_thousand_VMAs_are_all_there(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("vmas");
        await SnapshotUnharmedAsync(target, strategy);

        using CoreImage core = new(CorePath);
        AddressSpan block = target.Range("block");
        int every = (int)target.Number("every");
        for (ulong page = block.Start; page < block.End; page += (ulong)(2 * every * TraceeMemory.PageSize))
        {
            core.AssertHolds(new AddressSpan(page, page + TraceeMemory.PageSize));
        }

        (await Gdb.RunAsync(target.Executable, CorePath, "bt")).Checked();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_terabyte_of_reserved_memory_costs_what_was_touched(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("reserved");
        SnapshotReport report = await SnapshotUnharmedAsync(target, strategy, "full");

        Assert.InRange(report.BytesCaptured, 64 * TraceeMemory.PageSize, 32 << 20);
        using CoreImage core = new(CorePath);
        AddressSpan reserved = target.Range("reserved");
        ulong pages = (ulong)reserved.Length / TraceeMemory.PageSize;
        for (ulong i = 0; i < (ulong)target.Number("touched"); i++)
        {
            ulong page = reserved.Start + (TraceeMemory.Word(i, 3) % pages * TraceeMemory.PageSize);
            core.AssertHolds(new AddressSpan(page, page + TraceeMemory.PageSize));
        }
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Threads_may_be_born_and_end_all_the_while(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("churn", "--rate", "2000", "--alive", "32");
        for (int round = 0; round < 10; round++)
        {
            long before = await target.AskNumberAsync("births", "births");
            SnapshotReport report = await SnapshotAsync(target, strategy);
            Assert.InRange(report.Threads, 2, 34);
            await target.CheckAsync();
            await Wait.UntilAsync(async () => await target.AskNumberAsync("births", "births") > before, Wait.Soon, () => "births go on");
            File.Delete(CorePath);
        }
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_target_whose_main_thread_is_gone_has_a_core(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("leaderless");
        await SnapshotUnharmedAsync(target, strategy);

        IReadOnlyDictionary<int, string[]> traces = await Gdb.BacktracesAsync(target.Executable, CorePath);
        Assert.All(target.Sleepers, sleeper => Assert.Contains("level_two", traces[sleeper.Tid]));
        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Signals_that_wait_and_signals_that_come_are_all_delivered_once(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("signals", "--storm", "2000");
        for (int round = 0; round < 5; round++)
        {
            await SnapshotAsync(target, strategy);
            await target.CheckAsync();
            File.Delete(CorePath);
        }
    }

    [Fact]
    public async Task A_signal_that_stopped_a_thread_is_not_lost_with_the_worker()
    {
        using LiveProcess target = LiveProcess.Start("signals", "--storm", "20000");
        ExpectedErrors = ".*"; // of workers that are lost
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        for (int round = 0; round < 40; round++)
        {
            await control.StopAsync(new StopRequest { Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime } });
            Assert.Equal(1, Agent.KillWorkers());
            await Wait.UntilAsync(() => target.Status("TracerPid") == "0", Wait.Soon, "the target is let go");
        }

        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task No_blocking_call_returns_early_and_all_return_what_they_should(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("blocking");
        for (int round = 0; round < 5; round++)
        {
            await SnapshotUnharmedAsync(target, strategy);
            File.Delete(CorePath);
        }

        await target.CheckAsync("wake");
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_group_stopped_target_stays_stopped_until_its_SIGCONT(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("stopped");
        bool AllStopped() => Proc.Tasks(target.Pid).All(tid => Proc.State(target.Pid, tid) == "T");
        await Wait.UntilAsync(AllStopped, Wait.Soon, "group-stop");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        await SnapshotAsync(target, strategy);

        await before.AssertUnchangedAsync();
        Assert.True(AllStopped());
        target.Signal(SigCont);
        Assert.Equal("OK continued=1", await target.AskAsync("check"));
        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
    }

    [Theory]
    [InlineData(Strategy.Fork)]
    [InlineData(Strategy.Direct)]
    public async Task The_error_for_a_traced_target_says_by_whom(Strategy strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        using (DebuggerHold gdb = await DebuggerHold.AttachAsync(target.Pid))
        {
            Task Capture() => CaptureStream.ReadAsync(channel, CaptureStream.Request(target, strategy));
            RpcException failure = await Assert.ThrowsAsync<RpcException>(Capture);
            Assert.Contains($"{gdb.Pid}", failure.Status.Detail, StringComparison.Ordinal);
            await RpcAssert.FailsWithReasonAsync(Capture, StatusCode.FailedPrecondition, "TARGET_TRACED");
        }

        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_target_that_exits_in_the_middle_leaves_a_clear_error_or_a_whole_core(string strategy)
    {
        for (int delay = 0; delay < 60; delay += 6)
        {
            using LiveProcess target = LiveProcess.Start("exiter", "--mib", "128", "--delay-ms", $"{delay}");
            CommandResult result = await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--strategy", strategy, "--json");
            Assert.Equal(7, await target.ExitCodeAsync());
            if (result.ExitCode == 0)
            {
                using CoreImage core = new(CorePath);
                core.AssertHolds(target.Range("private"));
            }
            else
            {
                Assert.NotEmpty(result.Errors);
            }

            Assert.Equal(result.ExitCode == 0 ? ["target.core"] : [], Scratch.Names);
            File.Delete(CorePath);
        }
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_target_that_executes_itself_in_the_middle_goes_on(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("execer", "--every-ms", "15");
        for (int round = 0; round < 10; round++)
        {
            long before = await target.AskNumberAsync("check", "generation");
            await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--strategy", strategy, "--json");
            await Wait.UntilAsync(async () => await target.AskNumberAsync("check", "generation") > before + 1, Wait.Soon, () => "generations go on");
            Assert.Empty(Proc.Children(target.Pid));
            File.Delete(CorePath);
        }
    }

    [Theory]
    [InlineData("fork", "nondumpable")]
    [InlineData("direct", "nondumpable")]
    [InlineData("precopy", "nondumpable")]
    [InlineData("fork", "setuid_other")]
    [InlineData("direct", "setuid_other")]
    [InlineData("auto", "setuid_other")]
    public async Task A_non_dumpable_target_has_a_core(string strategy, string tracee)
    {
        using LiveProcess target = LiveProcess.Start(tracee, "--mib", "4");
        await SnapshotUnharmedAsync(target, strategy);

        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
        Expectations.StacksAreRight(core, target);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_target_of_another_uid_has_a_core(string strategy)
    {
        using LiveProcess target = LiveProcess.Start(new LaunchOptions { Uid = 1000 }, "canary", "--threads", "2", "--mib", "4", "--shared-mib", "1");
        await SnapshotUnharmedAsync(target, strategy);

        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
        core.AssertHolds(target.Range("shared"));
        Expectations.StacksAreRight(core, target);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_target_in_its_own_pid_and_mount_namespace_has_a_core(string strategy)
    {
        using LiveProcess target = LiveProcess.Start(new LaunchOptions { NewNamespaces = true }, "canary", "--threads", "2", "--mib", "4");
        Assert.Equal("1", target.Facts["pid"]);
        await SnapshotUnharmedAsync(target, strategy);

        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
        Assert.Equal(3, core.Threads.Count);
    }

    [Theory]
    [InlineData("--kill")]
    [InlineData("--errno")]
    public async Task A_target_under_a_seccomp_filter_is_captured_directly(string filter)
    {
        using LiveProcess target = LiveProcess.Start("seccomp", filter, "--mib", "4");
        SnapshotReport report = await SnapshotUnharmedAsync(target, "auto");

        Assert.Equal("direct", report.Strategy);
        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
    }

    [Fact]
    public async Task Strategy_fork_is_refused_for_a_target_under_a_seccomp_filter()
    {
        using LiveProcess target = LiveProcess.Start("seccomp");
        using GrpcChannel channel = Agent.Connect();
        await RpcAssert.FailsAsync(() => CaptureStream.ReadAsync(channel, CaptureStream.Request(target, Strategy.Fork)), StatusCode.FailedPrecondition);
        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Vector_and_x87_state_survives_a_capture(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("vectors", "--threads", "3");
        for (int round = 0; round < 5; round++)
        {
            await SnapshotUnharmedAsync(target, strategy);
            File.Delete(CorePath);
        }
    }
}
