using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>A lease that ends while somebody still reads what it holds: what they get is of the stop, or they are told.</summary>
public sealed class LeaseEndTests : AgentTest
{
    [Fact]
    public async Task Registers_that_are_being_read_are_those_of_the_stop()
    {
        using LiveProcess target = LiveProcess.Start("threads", "--count", "3000");
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await StopAsync(channel, target, 20);
        using AsyncServerStreamingCall<GetRegistersResponse> call = control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId });
        HashSet<uint> tids = [];
        while (await call.ResponseStream.MoveNext(default))
        {
            tids.UnionWith(call.ResponseStream.Current.Threads.Select(thread => thread.Tid));
            if (lease.LeaseId.Length > 0)
            {
                await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
                lease.LeaseId = string.Empty; // what follows is more than is under way between us and the agent
            }
        }

        Assert.Equal(3001, tids.Count);
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_capture_of_a_target_that_runs_again_is_an_error()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "256");
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await StopAsync(channel, target, 20);
        using AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(new CaptureRequest { LeaseId = lease.LeaseId });
        Assert.True(await call.ResponseStream.MoveNext(default));
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await RpcAssert.FailsWithReasonAsync(
            async () =>
            {
                while (await call.ResponseStream.MoveNext(default))
                {
                    Assert.NotEqual(CaptureResponse.PartOneofCase.Trailer, call.ResponseStream.Current.PartCase);
                }
            },
            StatusCode.NotFound,
            "LEASE_NOT_FOUND");
        await target.CheckAsync();
    }
}
