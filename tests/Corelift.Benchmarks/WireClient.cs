using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.Benchmarks;

/// <summary>How fast a client takes messages.</summary>
/// <param name="Delay">Wait after each message.</param>
/// <param name="Messages">How many messages it waits after; those that follow it takes as they come.</param>
internal readonly record struct ReadingPace(TimeSpan Delay, int Messages);

/// <summary>Captures by the generated stubs alone; the memory is counted and dropped.</summary>
internal static class WireClient
{
    private static readonly TimeSpan s_stopBudget = TimeSpan.FromSeconds(30);

    internal static async Task<CaptureTrailer> CaptureAsync(
        AgentProcess agent, LiveProcess target, Strategy strategy, Compression compression, ReadingPace pace, CancellationToken cancellation)
    {
        CaptureRequest request = new()
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime },
            Options = new CaptureOptions
            {
                Strategy = strategy,
                Compression = compression,
                StopBudget = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(s_stopBudget),
            },
        };
        using GrpcChannel channel = agent.Connect();
        using AsyncServerStreamingCall<CaptureResponse> call =
            new SnapshotService.SnapshotServiceClient(channel).Capture(request, cancellationToken: cancellation);
        CaptureTrailer? trailer = null;
        int messages = 0;
        await foreach (CaptureResponse message in call.ResponseStream.ReadAllAsync(cancellation))
        {
            trailer = message.Trailer ?? trailer;
            if (messages++ < pace.Messages)
            {
                await Task.Delay(pace.Delay, cancellation);
            }
        }

        return trailer ?? throw new TestingException("the stream ended without its trailer");
    }
}
