using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;
using ClientProcess = System.Diagnostics.Process;

namespace Corelift.EndToEnd.Tests;

/// <summary>Clients that are slow, that die, and that are many.</summary>
public sealed class ManyClientsTests : AgentTest
{
    private const int Mebibyte = 1 << 20;

    [Theory]
    [InlineData(Strategy.Fork)]
    [InlineData(Strategy.Direct)]
    public async Task A_slow_client_holds_up_neither_the_target_nor_the_agents_memory(Strategy strategy)
    {
        using LiveProcess target = LiveProcess.Start("spinner", "--mib", "512", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        long idle = Agent.ResidentBytes;
        await target.AskAsync("reset");
        using AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, strategy));
        Instant? instant = null;
        int chunks = 0;
        while (chunks < 20 && await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            instant = call.ResponseStream.Current.Instant ?? instant;
            chunks += call.ResponseStream.Current.Memory is null ? 0 : 1;
        }

        // Nobody reads now. The target has run on, and the agent waits with what the transport's windows hold.
        Assert.NotNull(instant);
        Assert.Equal("0", target.Status("TracerPid"));
        await Wait.UntilAsync(async () => await target.AskNumberAsync("gap", "gap_us") > 0, Wait.Soon, () => "the target spins");
        long spool = strategy == Strategy.Direct ? 600L * Mebibyte : 0; // the spool is not part of the promise
        Assert.InRange(Proc.StatusBytes(Agent.FrontEndPid, "RssAnon"), 0, idle + (64L * Mebibyte) + spool);
        CaptureResponse? last = null;
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            last = call.ResponseStream.Current;
            chunks += last.Memory is null ? 0 : 1;
        }

        Assert.Equal(CaptureResponse.PartOneofCase.Trailer, last?.PartCase);
        Assert.True(chunks >= 512);
        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_client_killed_in_mid_stream_leaves_nothing_behind(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "512", "--threads", "4");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using ClientProcess client = Command.Begin(
            Artifacts.Cli, ["snapshot", $"{target.Pid}", "-o", CorePath, "--strategy", strategy],
            new Dictionary<string, string> { ["CORELIFT_AGENT"] = Agent.Address });
        await Wait.UntilAsync(() => Agent.Descendants.Length > 0 || Scratch.Names.Length > 0 || client.HasExited, TimeSpan.FromSeconds(20), "capture under way");
        client.Kill();
        await client.WaitForExitAsync();

        await before.AssertUnchangedAsync();
        await Agent.AssertNoWorkersAsync();
        await target.CheckAsync();
        Assert.DoesNotContain("target.core", Scratch.Names);
    }

    [Theory]
    [InlineData(Strategy.Fork)]
    [InlineData(Strategy.Precopy)]
    public async Task A_client_that_cancels_may_ask_again_at_once(Strategy strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64", "--threads", "4");
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest request = CaptureStream.Request(target, strategy);
        ControlService.ControlServiceClient control = new(channel);
        for (int i = 0; i < 20; i++)
        {
            using (AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(request))
            {
                Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
            }

            if (i % 2 == 0)
            {
                await CaptureStream.ReadAsync(channel, request);
            }
            else
            {
                StopResponse lease = await control.StopAsync(new StopRequest { Ref = request.Ref });
                _ = await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
            }
        }

        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Twenty_targets_are_captured_at_once(string strategy)
    {
        List<LiveProcess> targets = [];
        try
        {
            for (int i = 0; i < 20; i++)
            {
                targets.Add(LiveProcess.Start("canary", "--mib", "8", "--threads", "4"));
            }

            SnapshotReport[] reports = await Task.WhenAll(targets.Select(target => Cli.SnapshotAsync(Agent, target.Pid, Scratch.File($"{target.Pid}.core"), strategy)));
            Assert.All(reports, report => Assert.Equal(5, report.Threads));
            foreach (LiveProcess target in targets)
            {
                using CoreImage core = new(Scratch.File($"{target.Pid}.core"));
                core.AssertHolds(target.Range("private"));
                await target.CheckAsync();
            }
        }
        finally
        {
            targets.ForEach(target => target.Dispose());
        }
    }

    [Fact]
    public async Task The_second_capture_of_the_same_target_gets_a_clear_answer()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "256", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        using AsyncServerStreamingCall<CaptureResponse> first =
            new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, Strategy.Fork));
        Assert.True(await first.ResponseStream.MoveNext(CancellationToken.None));

        using GrpcChannel other = Agent.Connect();
        await RpcAssert.FailsWithReasonAsync(
            () => CaptureStream.ReadAsync(other, CaptureStream.Request(target, Strategy.Fork)), StatusCode.AlreadyExists, "TARGET_BUSY");
        await RpcAssert.FailsWithReasonAsync(
            async () => await new ControlService.ControlServiceClient(other).StopAsync(new StopRequest { Ref = new ProcessRef { Pid = (uint)target.Pid } }),
            StatusCode.AlreadyExists, "TARGET_BUSY");
        CaptureResponse? last = null;
        while (await first.ResponseStream.MoveNext(CancellationToken.None))
        {
            last = first.ResponseStream.Current;
        }

        Assert.NotNull(last?.Trailer);
        await target.CheckAsync();
    }
}
