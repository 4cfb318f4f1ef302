using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>After a capture the target is as it was, as seen from outside and by itself.</summary>
public sealed class LeavesNothingBehindTests : AgentTest
{
    [Theory, MemberData(nameof(Strategies))]
    public async Task Ten_captures_leave_no_descriptor_mapping_child_mask_or_affinity(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("fds");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        for (int round = 0; round < 10; round++)
        {
            await SnapshotAsync(target, strategy);
            File.Delete(CorePath);
        }

        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Pages_shared_with_children_stay_shared(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("prefork", "--mib", "32");
        await SnapshotUnharmedAsync(target, strategy);
    }

    [Theory]
    [InlineData("default")]
    [InlineData("full")]
    [InlineData("stacks")]
    public async Task Every_content_leaves_memory_registers_and_stacks_alone(string content)
    {
        using LiveProcess target = LiveProcess.Start(
            "canary", "--threads", "8", "--mib", "16", "--zero-mib", "16", "--shared-mib", "4", "--shared-zero-mib", "16", "--file-mib", "2");
        await SnapshotUnharmedAsync(target, "fork", content);
        File.Delete(CorePath);
        await SnapshotUnharmedAsync(target, "direct", content);
        File.Delete(CorePath);
        await SnapshotUnharmedAsync(target, "precopy", content);
    }

    [Theory]
    [InlineData(Strategy.Fork)]
    [InlineData(Strategy.Direct)]
    [InlineData(Strategy.Precopy)]
    public async Task A_capture_cancelled_after_any_message_leaves_nothing(Strategy strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "4", "--mib", "64");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        foreach (int messages in (int[])[0, 1, 2, 3, 5, 10, 40])
        {
            // The capture before this one was cancelled, and may be ending still.
            await Wait.UntilAsync(
                () => CancelsAfterAsync(channel, CaptureStream.Request(target, strategy), messages), Wait.Soon, () => "the target free for a capture");
            await before.AssertUnchangedAsync();
            await Agent.AssertNoWorkersAsync();
        }

        await target.CheckAsync();
    }

    /// <summary>False where another capture of the target is under way.</summary>
    private static async Task<bool> CancelsAfterAsync(GrpcChannel channel, CaptureRequest request, int messages)
    {
        using CancellationTokenSource cancel = new();
        using AsyncServerStreamingCall<CaptureResponse> call =
            new SnapshotService.SnapshotServiceClient(channel).Capture(request, cancellationToken: cancel.Token);
        try
        {
            for (int i = 0; i < messages; i++)
            {
                Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
            }
        }
        catch (RpcException busy) when (busy.StatusCode == StatusCode.AlreadyExists)
        {
            return false;
        }

        await cancel.CancelAsync();
        return true;
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_plan_touches_nothing(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("spinner", "--threads", "4", "--mib", "64");
        using GrpcChannel channel = Agent.Connect();
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        PlanResponse plan = await new SnapshotService.SnapshotServiceClient(channel).PlanAsync(new PlanRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid },
            Options = new CaptureOptions { Strategy = Enum.Parse<Strategy>(strategy, ignoreCase: true) },
        });

        Assert.True(plan.Plan.Bytes.TotalBytes >= 64 << 20);
        Assert.Equal(6u, plan.Plan.ThreadCount);
        Assert.NotEmpty(plan.Plan.Reasons);
        Assert.Equal("0", target.Status("TracerPid"));
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task The_pause_as_reported_is_the_pause_that_the_target_saw(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("spinner", "--threads", "8", "--mib", "256");
        List<string> seen = [];
        for (int round = 0; round < 5; round++)
        {
            await target.AskAsync("reset");
            SnapshotReport report = await SnapshotAsync(target, strategy);
            string answer = await target.AskAsync("gap");
            long[] gaps = [LiveProcess.NumberIn(answer, "gap_us"), LiveProcess.NumberIn(answer, "stopped_us")];
            File.Delete(CorePath);
            seen.Add($"reported {report.PauseMicroseconds} us, {answer}");

            // With what it waited for a CPU, or without; the scheduler may add to either, so the best of five counts.
            if (gaps.Any(gap => Math.Abs(gap - report.PauseMicroseconds) <= Math.Max(1000, gap / 5)))
            {
                return;
            }
        }

        Assert.Fail(string.Join("; ", seen));
    }

    [Fact]
    public async Task The_agent_does_not_grow_with_the_target_or_with_use()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "512", "--threads", "4");
        await SnapshotAsync(target, "fork");
        long afterFirst = Agent.ResidentBytes;
        for (int round = 0; round < 4; round++)
        {
            File.Delete(CorePath);
            await SnapshotAsync(target, "fork");
        }

        Assert.InRange(Agent.PeakResidentBytes, 1, 60 << 20 | 64 << 20);
        Assert.InRange(Agent.ResidentBytes, 1, afterFirst + (16 << 20));
        int[] processes = [Agent.Pid, Agent.FrontEndPid];
        int[] descriptors = [.. processes.Select(CountDescriptors)];
        File.Delete(CorePath);
        await SnapshotAsync(target, "fork");
        await Wait.UntilAsync(
            () => processes.Zip(descriptors).All(pair => CountDescriptors(pair.First) <= pair.Second), Wait.Soon, "descriptors of the agent closed");
    }

    private static int CountDescriptors(int pid) => Directory.GetFileSystemEntries($"/proc/{pid}/fd").Length;
}
