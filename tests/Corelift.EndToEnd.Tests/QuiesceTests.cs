using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>
/// A quiesced target gets every schedule back: each thread's policy, priority, nice value, flag and CPUs, and those of what was
/// born meanwhile. The tracee <c>schedules</c> compares them itself.
/// </summary>
public sealed class QuiesceTests : AgentTest
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(Strategy.Fork)]
    [InlineData(Strategy.Direct)]
    [InlineData(Strategy.Precopy)]
    public async Task Every_schedule_is_given_back(Strategy strategy)
    {
        using LiveProcess target = LiveProcess.Start("schedules", "--groups", "8");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        for (int round = 0; round < 5; round++)
        {
            CaptureStream stream = await CaptureStream.ReadAsync(channel, Request(target, strategy));
            Assert.Contains(stream.Started.Plan.Reasons.Concat(stream.Instant.Reasons), reason => reason.StartsWith("quiesced", StringComparison.Ordinal));
            await before.AssertUnchangedAsync();
            await target.CheckAsync();
        }

        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(Agent.SocketPath)!, "*.quiesce"));
    }

    [Fact]
    public async Task Threads_and_processes_that_are_born_meanwhile_have_the_schedule_of_their_makers_children()
    {
        using LiveProcess target = LiveProcess.Start("schedules", "--groups", "4", "--births", "100");
        using GrpcChannel channel = Agent.Connect();
        for (int round = 0; round < 8; round++)
        {
            await CaptureStream.ReadAsync(channel, Request(target, Strategy.Direct));
            await target.CheckAsync();
        }
    }

    [Fact]
    public async Task A_capture_that_is_cancelled_or_given_up_gives_them_back()
    {
        using LiveProcess target = LiveProcess.Start("schedules", "--groups", "50");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest hurried = Request(target, Strategy.Direct);
        hurried.Options.StopBudget = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1));
        for (int round = 0; round < 5; round++)
        {
            await Assert.ThrowsAsync<RpcException>(() => CaptureStream.ReadAsync(channel, hurried));
            await before.AssertUnchangedAsync();
        }

        foreach (int milliseconds in (int[])[0, 5, 20, 40, 60, 80, 120])
        {
            using CancellationTokenSource cancel = new(milliseconds);
            await Record.ExceptionAsync(() => CaptureStream.ReadAsync(channel, Request(target, Strategy.Direct), cancellation: cancel.Token));
            await before.AssertUnchangedAsync();
        }

        await target.CheckAsync();
    }

    [Fact]
    public async Task A_worker_killed_in_the_middle_leaves_it_to_the_agent()
    {
        using LiveProcess target = LiveProcess.Start("schedules", "--groups", "200");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        int caught = 0;
        for (int round = 0; round < 20 && caught < 2; round++)
        {
            using CancellationTokenSource over = new();
            Task capture = Record.ExceptionAsync(() => CaptureStream.ReadAsync(channel, Request(target, Strategy.Direct), cancellation: over.Token));
            caught += await KillAsync(Agent, target, capture, withAgent: false) ? 1 : 0;
            await capture;
            await before.AssertUnchangedAsync();
        }

        Assert.True(caught > 0, "no worker was killed while the target was quiesced");
        await target.CheckAsync();
    }

    [Fact]
    public async Task What_a_killed_agent_left_quiesced_the_next_one_gives_back()
    {
        using LiveProcess target = LiveProcess.Start("schedules", "--groups", "200");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using ScratchFolder state = new();
        state.GiveTo(Options.Uid, Options.Uid);
        int caught = 0;
        for (int round = 0; round < 10 && caught < 1; round++)
        {
            AgentOptions options = new() { Arguments = ["--state-directory", state.Path] };
            await using (AgentProcess agent = await AgentProcess.StartAsync(options))
            {
                using GrpcChannel channel = agent.Connect();
                Task capture = Record.ExceptionAsync(() => CaptureStream.ReadAsync(channel, Request(target, Strategy.Direct)));
                caught += await KillAsync(agent, target, capture, withAgent: true) ? 1 : 0;
                await capture;
            }

            await using AgentProcess next = await AgentProcess.StartAsync(options);
            await before.AssertUnchangedAsync();
        }

        Assert.True(caught > 0, "no agent was killed while the target was quiesced");
        await target.CheckAsync();
        Assert.DoesNotContain(state.Names, name => name.EndsWith(".quiesce", StringComparison.Ordinal));
    }

    /// <summary>Kills the worker, and before it the agent if so, while the target is quiesced.</summary>
    private static async Task<bool> KillAsync(AgentProcess agent, LiveProcess target, Task capture, bool withAgent)
    {
        await Wait.UntilAsync(() => agent.Descendants.Length > 0 || capture.IsCompleted, s_bound, "a worker");
        int[] workers = agent.Descendants;
        return await QuiesceTrap.KillAsync(target, withAgent ? [agent.Pid, .. workers] : workers, () => capture.IsCompleted);
    }

    private static CaptureRequest Request(LiveProcess target, Strategy strategy)
    {
        CaptureRequest request = CaptureStream.Request(target, strategy, Content.Stacks);
        request.Options.Quiesce = true;
        return request;
    }
}
