using System.Diagnostics;

namespace Corelift.EndToEnd.Tests.Split;

/// <summary>Supervisor and front end as processes of two users, as two containers of a pod have them.</summary>
public sealed class TwoContainersTests : IDisposable
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(20);
    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_front_end_of_another_user_takes_snapshots_by_every_strategy()
    {
        await using SplitAgent agent = new();
        await agent.StartSupervisorAsync();
        _ = await agent.StartFrontEndAsync();
        foreach (string strategy in (string[])["direct", "fork", "precopy"])
        {
            foreach (uint? uid in (uint?[])[null, 1000])
            {
                using LiveProcess target = LiveProcess.Start(
                    new LaunchOptions { Uid = uid }, "canary", "--threads", "2", "--mib", "4", "--shared-mib", "1", "--file-mib", "1");
                TargetBaseline before = TargetBaseline.Take(target.Pid);
                string core = _scratch.File($"{strategy}-{target.Pid}.core");
                CommandResult result = await Cli.RunAsync(agent.Address, "snapshot", $"{target.Pid}", "-o", core, "--strategy", strategy);
                Assert.True(result.ExitCode == 0, result.Output + result.Errors + agent.Log);
                using CoreImage image = new(core);
                image.AssertHolds(target.Range("private"));
                image.AssertHolds(target.Range("shared"));
                await before.AssertUnchangedAsync();
                await target.CheckAsync();
            }
        }
    }

    [Fact]
    public async Task It_sees_of_a_process_what_one_process_with_the_capabilities_would_see()
    {
        await using SplitAgent agent = new();
        await agent.StartSupervisorAsync();
        _ = await agent.StartFrontEndAsync();
        using LiveProcess target = LiveProcess.Start(new LaunchOptions { Uid = 1000 }, "canary", "--threads", "2");
        CommandResult seen = (await Cli.RunAsync(agent.Address, "inspect", $"{target.Pid}", "--json")).Checked();
        Assert.Contains(target.Executable, seen.Output, StringComparison.Ordinal);
        Assert.Contains(new FileInfo($"/proc/{target.Pid}/ns/pid").LinkTarget![5..^1], seen.Output, StringComparison.Ordinal);
        CommandResult plan = (await Cli.RunAsync(agent.Address, "plan", $"{target.Pid}")).Checked();
        Assert.Contains("precopy", plan.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_front_end_is_served_at_a_time_and_the_next_one_after_it()
    {
        await using SplitAgent agent = new();
        await agent.StartSupervisorAsync(frontEndUid: 0);
        using (RawSupervisorClient first = RawSupervisorClient.Connect(agent.SupervisorPath, out int kind))
        {
            Assert.Equal(RawSupervisorClient.Welcome, kind);
            using RawSupervisorClient second = RawSupervisorClient.Connect(agent.SupervisorPath, out int other);
            Assert.Equal(RawSupervisorClient.Busy, other);
        }

        await Wait.UntilAsync(() => agent.Log.Contains("has gone", StringComparison.Ordinal), s_bound, "the first one gone");
        using RawSupervisorClient next = RawSupervisorClient.Connect(agent.SupervisorPath, out int again);
        Assert.Equal(RawSupervisorClient.Welcome, again);
    }

    [Fact]
    public async Task A_process_of_another_user_is_not_served()
    {
        await using SplitAgent agent = new();
        await agent.StartSupervisorAsync();
        Process frontEnd = await agent.StartFrontEndAsync(uid: 1234);
        Assert.True(frontEnd.HasExited);
        await Wait.UntilAsync(() => agent.Log.Contains("--front-end-uid", StringComparison.Ordinal), s_bound, "the reason");
        using RawSupervisorClient root = RawSupervisorClient.Connect(agent.SupervisorPath, out int kind);
        Assert.Equal(RawSupervisorClient.NotYou, kind);
    }

    [Fact]
    public async Task A_front_end_waits_for_a_supervisor_that_starts_later_and_ends_with_it()
    {
        await using SplitAgent agent = new();
        Task<Process> starting = agent.StartFrontEndAsync();
        await agent.StartSupervisorAsync();
        Process frontEnd = await starting;
        Assert.False(frontEnd.HasExited, agent.Log);
        await SplitAgent.KillAsync(agent.Supervisor);
        await Wait.UntilAsync(() => frontEnd.HasExited, s_bound, "the front end's end");
        Assert.Equal(70, frontEnd.ExitCode);
    }

    [Theory]
    [InlineData("--front-end-uid", "me")]
    [InlineData("--front-end-uid", "1", "--listen", "http://127.0.0.1:1")]
    [InlineData]
    public async Task A_supervisor_that_cannot_be_as_it_is_set_up_says_what_to_change(params string[] arguments)
    {
        CommandResult result = await Command.RunAsync(Artifacts.Agent, ["supervisor", .. arguments]);
        Assert.Equal(78, result.ExitCode);
        Assert.Contains(arguments.Contains("--listen") ? "unix:PATH" : "--front-end-uid", result.Errors, StringComparison.Ordinal);
    }
}
