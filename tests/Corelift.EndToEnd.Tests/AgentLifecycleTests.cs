using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;

namespace Corelift.EndToEnd.Tests;

/// <summary>Starting, refusing to start, stopping and being killed.</summary>
public sealed class AgentLifecycleTests : IDisposable
{
    private static readonly TimeSpan s_bound = Wait.Soon;
    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(65534u, "")]
    [InlineData(65534u, "sys_nice")]
    [InlineData(0u, "sys_nice")]
    [InlineData(65534u, "sys_ptrace")]
    public async Task The_agent_refuses_to_start_without_its_capabilities_and_names_the_remedy(uint uid, string capability)
    {
        string[] capabilities = capability.Length == 0 ? [] : [capability];
        (int exitCode, string log) = await AgentProcess.RunToEndAsync(new AgentOptions { Uid = uid, Capabilities = capabilities });
        Assert.NotEqual(0, exitCode);
        Assert.Contains(capability == "sys_ptrace" ? "CAP_SYS_NICE" : "CAP_SYS_PTRACE", log, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("/nowhere")]
    [InlineData("/proc")]
    public async Task The_agent_refuses_to_start_with_a_state_directory_that_it_cannot_write_to(string directory)
    {
        (int exitCode, string log) = await AgentProcess.RunToEndAsync(new AgentOptions { Arguments = ["--state-directory", directory] });
        Assert.NotEqual(0, exitCode);
        Assert.Contains($"the state directory {directory} ", log, StringComparison.Ordinal);
        Assert.Contains("make it a directory that the agent's user can write to", log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u, "fork")]
    [InlineData(0u, "direct")]
    [InlineData(0u, "precopy")]
    [InlineData(65534u, "fork")]
    [InlineData(65534u, "direct")]
    [InlineData(65534u, "precopy")]
    public async Task Two_capabilities_are_enough_for_a_target_of_any_user(uint agentUid, string strategy)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync(new AgentOptions { Uid = agentUid });
        Assert.Equal("0000000000880000", Proc.Status(agent.Pid, "CapEff"));
        Assert.Equal("0000000000000000", Proc.Status(agent.FrontEndPid, "CapEff"));
        foreach (uint? uid in (uint?[])[null, 1000, 65534])
        {
            using LiveProcess target = LiveProcess.Start(new LaunchOptions { Uid = uid }, "canary", "--threads", "2", "--mib", "4", "--shared-mib", "1");
            string core = _scratch.File($"{target.Pid}.core");
            await Cli.SnapshotAsync(agent, target.Pid, core, strategy);
            await target.CheckAsync();
            using CoreImage image = new(core);
            image.AssertHolds(target.Range("private"));
            image.AssertHolds(target.Range("shared"));
        }

        agent.AssertCleanLog();
    }

    [Fact]
    public async Task The_agent_says_at_start_which_kernel_features_it_found()
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        Assert.Contains("pidfd", agent.Log, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("PAGEMAP_SCAN", agent.Log, StringComparison.OrdinalIgnoreCase);
        agent.AssertCleanLog();
    }

    [Fact]
    public async Task Health_and_reflection_answer()
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        using GrpcChannel channel = agent.Connect();
        HealthCheckResponse health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
        using AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo();
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        string[] services = [.. call.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name)];
        Assert.All(["corelift.v1.ProcessService", "corelift.v1.ControlService", "corelift.v1.SnapshotService"], (string service) => Assert.Contains(service, services));
        await call.RequestStream.CompleteAsync();
    }

    [Fact]
    public async Task A_terminated_agent_resumes_everybody_and_exits_with_0()
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        using LiveProcess held = LiveProcess.Start("canary", "--threads", "4");
        using LiveProcess captured = LiveProcess.Start("canary", "--threads", "4", "--mib", "256");
        TargetBaseline heldBefore = TargetBaseline.Take(held.Pid), capturedBefore = TargetBaseline.Take(captured.Pid);
        using GrpcChannel channel = agent.Connect();
        await StopAsync(channel, held);
        using AsyncServerStreamingCall<CaptureResponse> capture =
            new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(captured, Strategy.Fork));
        Assert.True(await capture.ResponseStream.MoveNext(CancellationToken.None));

        Assert.Equal(0, await agent.StopAsync());
        await heldBefore.AssertUnchangedAsync();
        await capturedBefore.AssertUnchangedAsync();
        await held.CheckAsync();
        await captured.CheckAsync();
    }

    [Theory]
    [InlineData("agent")]
    [InlineData("supervisor")]
    [InlineData("front end")]
    [InlineData("workers")]
    public async Task A_killed_agent_or_worker_resumes_the_target(string victim)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "8");
        using GrpcChannel channel = agent.Connect();
        await StopAsync(channel, target);
        Assert.All(Proc.Tasks(target.Pid), tid => Assert.Equal("t", Proc.State(target.Pid, tid)));

        if (victim == "supervisor")
        {
            await agent.KillSupervisorAsync();
        }
        else if (victim == "agent")
        {
            await agent.KillAsync();
        }
        else if (victim == "front end")
        {
            await agent.KillFrontEndAsync();
        }
        else
        {
            Assert.True(agent.KillWorkers() > 0);
        }

        await Wait.UntilAsync(
            () => Proc.Tasks(target.Pid).All(tid => Proc.Status(target.Pid, "TracerPid", tid) == "0" && Proc.State(target.Pid, tid) != "t"), s_bound, "resume");
        await target.CheckAsync();
    }

    [Theory]
    [InlineData(Strategy.Fork, 0)]
    [InlineData(Strategy.Fork, 1)]
    [InlineData(Strategy.Fork, 4)]
    [InlineData(Strategy.Direct, 0)]
    [InlineData(Strategy.Direct, 1)]
    public async Task An_agent_killed_in_the_middle_of_captures_leaves_the_targets_work_whole(Strategy strategy, int messages)
    {
        for (int round = 0; round < 5; round++)
        {
            await using AgentProcess agent = await AgentProcess.StartAsync();
            using LiveProcess target = LiveProcess.Start("vectors", "--threads", "2");
            using GrpcChannel channel = agent.Connect();
            using AsyncServerStreamingCall<CaptureResponse> capture =
                new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, strategy));
            for (int i = 0; i < messages; i++)
            {
                Assert.True(await capture.ResponseStream.MoveNext(CancellationToken.None));
            }

            if (messages == 0)
            {
                await Wait.UntilAsync(() => agent.Descendants.Length > 0, s_bound, "a worker");
            }

            await agent.KillAsync();
            await Wait.UntilAsync(() => Proc.Status(target.Pid, "TracerPid") == "0", s_bound, "resume");
            await target.CheckAsync();
        }
    }

    [Fact]
    public async Task The_next_agent_reaps_what_a_killed_one_left()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "256", "--threads", "2");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        await using (AgentProcess agent = await AgentProcess.StartAsync())
        {
            using GrpcChannel channel = agent.Connect();
            using AsyncServerStreamingCall<CaptureResponse> capture =
                new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, Strategy.Fork));
            Assert.True(await capture.ResponseStream.MoveNext(CancellationToken.None));
            Assert.True(await capture.ResponseStream.MoveNext(CancellationToken.None));
            await agent.KillAsync();
        }

        await using AgentProcess next = await AgentProcess.StartAsync();
        await Cli.SnapshotAsync(next, target.Pid, _scratch.File("x.core"), "fork");
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    private static async Task StopAsync(GrpcChannel channel, LiveProcess target) =>
        await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(25)),
        });
}
