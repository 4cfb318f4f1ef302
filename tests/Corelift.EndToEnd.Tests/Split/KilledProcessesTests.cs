using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests.Split;

/// <summary>Any of the processes killed at the worst moments: the target runs, and the next start leaves nothing of it.</summary>
public sealed class KilledProcessesTests : IDisposable
{
    private const string MaskInCalls = "fffffffffffbfeef"; // all but SIGTRAP, and SIGKILL and SIGSTOP, which nobody can block
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(20);
    private readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    public static TheoryData<string, Strategy> Cases
    {
        get
        {
            TheoryData<string, Strategy> cases = [];
            foreach (string victim in (string[])["front end", "supervisor", "worker", "all"])
            {
                foreach (Strategy strategy in (Strategy[])[Strategy.Fork, Strategy.Direct, Strategy.Precopy])
                {
                    cases.Add(victim, strategy);
                }
            }

            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public async Task Killed_in_mid_stream_it_leaves_nothing(string victim, Strategy strategy)
    {
        await using SplitAgent agent = new();
        await StartAsync(agent);
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "128", "--threads", "4");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = UnixChannel.Connect(agent.SocketPath);
        AsyncServerStreamingCall<CaptureResponse> capture =
            new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, strategy));
        for (int i = 0; i < 6; i++)
        {
            Assert.True(await capture.ResponseStream.MoveNext(CancellationToken.None));
        }

        await KillAsync(agent, victim);
        await AssertRunsAsync(target);
        capture.Dispose(); // this client has read enough; the capture ends with it, where it has not yet
        await RestartAsync(agent);
        CommandResult? again = null;
        await Wait.UntilAsync(
            async () =>
            {
                again = await Cli.RunAsync(agent.Address, "snapshot", $"{target.Pid}", "-o", _scratch.File("again.core"));
                return !again.Errors.Contains("is under way", StringComparison.Ordinal);
            },
            s_bound,
            () => "the target free for a capture");
        Assert.True(again!.ExitCode == 0, again.Errors + agent.Log);
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_worker_that_was_lost_with_its_image_is_said_to_be_lost()
    {
        await using SplitAgent agent = new();
        await StartAsync(agent);
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "128", "--threads", "2");
        using GrpcChannel channel = UnixChannel.Connect(agent.SocketPath);
        using AsyncServerStreamingCall<CaptureResponse> capture =
            new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, Strategy.Fork));
        for (int i = 0; i < 6; i++)
        {
            Assert.True(await capture.ResponseStream.MoveNext(CancellationToken.None));
        }

        await KillAsync(agent, "worker");
        await RpcAssert.FailsWithReasonAsync(() => ReadAsync(capture), StatusCode.Unavailable, "WORKER_LOST");
        await target.CheckAsync();
    }

    [Fact]
    public async Task An_image_that_is_born_after_its_worker_was_killed_is_reaped()
    {
        await using SplitAgent agent = new();
        await StartAsync(agent);
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "1024", "--threads", "2"); // its clone takes long
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = UnixChannel.Connect(agent.SocketPath);
        bool wasBornLater = false;
        for (int attempt = 0; !wasBornLater && attempt < 20; attempt++)
        {
            using AsyncServerStreamingCall<CaptureResponse> capture =
                new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, Strategy.Fork));
            await Wait.UntilAsync(
                () => Proc.Tasks(target.Pid).Any(tid => Proc.Status(target.Pid, "SigBlk", tid) == MaskInCalls), s_bound, "a thread in a call that it was made to make");
            await KillAsync(agent, "worker");
            wasBornLater = Proc.OwnChildren(target.Pid).Length == 0;
            await RpcAssert.FailsWithReasonAsync(() => ReadAsync(capture), StatusCode.Unavailable, "WORKER_LOST");
            await before.AssertUnchangedAsync();
        }

        Assert.True(wasBornLater, "each image was there before its worker was killed");
        await target.CheckAsync();
    }

    [Theory]
    [InlineData("front end")]
    [InlineData("supervisor")]
    [InlineData("worker")]
    [InlineData("all")]
    public async Task Killed_in_mid_stop_it_lets_every_thread_run(string victim)
    {
        await using SplitAgent agent = new();
        await StartAsync(agent);
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "8");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = UnixChannel.Connect(agent.SocketPath);
        await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(25)),
        });
        Assert.All(Proc.Tasks(target.Pid), tid => Assert.Equal("t", Proc.State(target.Pid, tid)));

        await KillAsync(agent, victim);
        await AssertRunsAsync(target);
        await RestartAsync(agent);
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_front_end_that_hangs_keeps_nobody_stopped_beyond_the_lease()
    {
        await using SplitAgent agent = new();
        await StartAsync(agent);
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        using GrpcChannel channel = UnixChannel.Connect(agent.SocketPath);
        await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)),
        });
        using (Hung(agent.FrontEnd.Id))
        using (Hung(Assert.Single(agent.Workers)))
        {
            // The worker does not run either: only the supervisor is left to enforce the deadline.
            await AssertRunsAsync(target);
        }

        await target.CheckAsync();
    }

    private static async Task StartAsync(SplitAgent agent)
    {
        await agent.StartSupervisorAsync();
        System.Diagnostics.Process frontEnd = await agent.StartFrontEndAsync();
        Assert.False(frontEnd.HasExited, agent.Log);
    }

    private static async Task KillAsync(SplitAgent agent, string victim)
    {
        if (victim is "front end" or "all")
        {
            await SplitAgent.KillAsync(agent.FrontEnd);
        }

        int[] workers = agent.Workers;
        if (victim is "supervisor" or "all")
        {
            await SplitAgent.KillAsync(agent.Supervisor);
        }

        foreach (int worker in victim is "worker" or "all" ? workers : [])
        {
            Proc.Kill(worker);
        }
    }

    private static async Task ReadAsync(AsyncServerStreamingCall<CaptureResponse> capture)
    {
        while (await capture.ResponseStream.MoveNext(CancellationToken.None))
        {
        }
    }

    private static Task AssertRunsAsync(LiveProcess target) => Wait.UntilAsync(
        () => Proc.Tasks(target.Pid).All(tid => Proc.Status(target.Pid, "TracerPid", tid) == "0" && Proc.State(target.Pid, tid) != "t"), s_bound, "every thread runs");

    private static async Task RestartAsync(SplitAgent agent)
    {
        if (agent.Supervisor.HasExited)
        {
            await Wait.UntilAsync(() => agent.FrontEnd.HasExited, s_bound, "the front end's end");
            await agent.StartSupervisorAsync();
        }

        if (agent.FrontEnd.HasExited)
        {
            System.Diagnostics.Process frontEnd = await agent.StartFrontEndAsync();
            Assert.False(frontEnd.HasExited, agent.Log);
        }
    }

    /// <summary>Stops a process by SIGSTOP until it is disposed.</summary>
    private static Continue Hung(int pid)
    {
        Command.RunAsync("kill", ["-STOP", $"{pid}"]).GetAwaiter().GetResult().Checked();
        return new Continue(pid);
    }

    private sealed class Continue(int pid) : IDisposable
    {
        public void Dispose() => _ = Command.RunAsync("kill", ["-CONT", $"{pid}"]).GetAwaiter().GetResult();
    }
}
