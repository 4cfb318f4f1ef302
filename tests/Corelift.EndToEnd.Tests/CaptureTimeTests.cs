using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>A capture has its time, its client's reading included.</summary>
public sealed class CaptureTimeTests : AgentTest
{
    protected override AgentOptions Options => new() { Arguments = ["--max-capture-time", "1500ms"] };

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_capture_that_takes_too_long_is_given_up_with_its_reason(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "8", "--threads", "2");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest request = CaptureStream.Request(target, System.Enum.Parse<Strategy>(strategy, ignoreCase: true));
        request.Options.RateLimitBytesPerSecond = 1 << 20; // 8 s
        RpcException failure = await Assert.ThrowsAsync<RpcException>(() => CaptureStream.ReadAsync(channel, request));
        Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        Assert.Contains("--max-capture-time", failure.Status.Detail, StringComparison.Ordinal);
        await before.AssertUnchangedAsync();
        await Agent.AssertNoWorkersAsync();
        await target.CheckAsync();
    }
}
