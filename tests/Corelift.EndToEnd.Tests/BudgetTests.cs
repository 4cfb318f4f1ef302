using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>What is above a budget of the agent is refused before anybody is stopped, with the setting that would allow it.</summary>
public sealed class BudgetTests : AgentTest
{
    private const ulong MostBytes = 16 << 20;

    protected override AgentOptions Options => new()
    {
        Arguments =
        [
            "--max-threads", "8", "--max-vmas", "200", "--max-capture-bytes", $"{MostBytes}",
            "--max-stop-budget", "500ms", "--max-lease", "800ms", "--max-streams", "3",
        ],
    };

    private static ProcessRef Ref(LiveProcess target) => new() { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime };

    /// <summary>Whether a capture of it could begin: one that is under way is refused by another reason.</summary>
    private static async Task<bool> IsFreeAsync(GrpcChannel channel, LiveProcess target)
    {
        try
        {
            return (await CaptureStream.ReadAsync(channel, CaptureStream.Request(target, Strategy.Fork, Content.Stacks))).Trailer is not null;
        }
        catch (RpcException busy) when (busy.StatusCode == StatusCode.AlreadyExists)
        {
            return false;
        }
    }

    /// <summary>Refused everywhere, with the setting's name in the text, and nobody was touched.</summary>
    private async Task IsTooLargeAsync(LiveProcess target, string setting, bool refusesStop)
    {
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        foreach (Strategy strategy in (Strategy[])[Strategy.Unspecified, Strategy.Direct, Strategy.Fork, Strategy.Precopy])
        {
            RpcException refusal = await Assert.ThrowsAsync<RpcException>(() => CaptureStream.ReadAsync(channel, CaptureStream.Request(target, strategy)));
            Assert.Contains(setting, refusal.Status.Detail, StringComparison.Ordinal);
            await RpcAssert.FailsWithReasonAsync(
                () => CaptureStream.ReadAsync(channel, CaptureStream.Request(target, strategy)), StatusCode.FailedPrecondition, "TARGET_TOO_LARGE");
        }

        if (refusesStop)
        {
            await RpcAssert.FailsWithReasonAsync(
                async () => await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest { Ref = Ref(target) }),
                StatusCode.FailedPrecondition,
                "TARGET_TOO_LARGE");
        }

        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    [Fact]
    public async Task Too_many_threads_are_refused()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "12");
        await IsTooLargeAsync(target, "--max-threads", refusesStop: true);
    }

    [Fact]
    public async Task Too_many_mappings_are_refused()
    {
        using LiveProcess target = LiveProcess.Start("vmas", "--count", "300");
        await IsTooLargeAsync(target, "--max-vmas", refusesStop: false);
    }

    [Fact]
    public async Task Too_much_memory_is_refused_and_less_of_it_captured()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "32");
        await IsTooLargeAsync(target, "--max-capture-bytes", refusesStop: false);
        using GrpcChannel channel = Agent.Connect();
        CaptureStream stacks = await CaptureStream.ReadAsync(channel, CaptureStream.Request(target, Strategy.Fork, Content.Stacks));
        Assert.NotNull(stacks.Trailer);

        // The lease is the caller's own stop; the bytes are bounded all the same.
        StopResponse lease = await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest { Ref = Ref(target) });
        await RpcAssert.FailsWithReasonAsync(
            () => CaptureStream.ReadAsync(channel, new CaptureRequest { LeaseId = lease.LeaseId, Options = new CaptureOptions() }), StatusCode.FailedPrecondition, "TARGET_TOO_LARGE");
        await new ControlService.ControlServiceClient(channel).ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
    }

    [Fact]
    public async Task Times_above_the_maximum_are_cut_and_the_client_is_told()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        Duration year = Duration.FromTimeSpan(TimeSpan.FromDays(365)), endless = new() { Seconds = 315_576_000_000 };
        foreach (Duration time in (Duration[])[year, endless])
        {
            StopResponse lease = await control.StopAsync(new StopRequest { Ref = Ref(target), TimeToLive = time, StopBudget = time });
            Assert.InRange(lease.TimeToLive.ToTimeSpan(), TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(800));
            await Wait.UntilAsync(() => target.Status("TracerPid") == "0", Wait.Soon, "the lease ran out");
            await Wait.UntilAsync(() => IsFreeAsync(channel, target), Wait.Soon, () => "the agent knows that it ran out");
        }

        CaptureRequest request = CaptureStream.Request(target, Strategy.Fork);
        request.Options.StopBudget = year;
        CaptureStream capture = await CaptureStream.ReadAsync(channel, request);
        Assert.InRange(capture.Instant.Pause.ToTimeSpan(), TimeSpan.Zero, TimeSpan.FromMilliseconds(550));
        await target.CheckAsync();
    }

    [Fact]
    public async Task Calls_beyond_the_limit_of_a_connection_wait_for_the_others_and_harm_nobody()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel channel = Agent.Connect();
        ProcessService.ProcessServiceClient processes = new(channel);
        GetProcessResponse[] answers = await Task.WhenAll(
            Enumerable.Range(0, 40).Select(_ => processes.GetProcessAsync(new GetProcessRequest { Ref = Ref(target) }).ResponseAsync));
        Assert.All(answers, answer => Assert.Equal((uint)target.Pid, answer.Process.Summary.Ref.Pid));
    }

    [Fact]
    public async Task A_stall_that_cannot_be_kept_keeps_the_agent_from_starting()
    {
        (int code, string log) = await AgentProcess.RunToEndAsync(new AgentOptions { Arguments = ["--max-stall", "100ms"] });
        Assert.NotEqual(0, code);
        Assert.Contains("--max-stall", log, StringComparison.Ordinal);
    }
}
