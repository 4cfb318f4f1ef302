using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Memory that passes through a ring which agent and client share; most other tests of the command line use it, too.</summary>
public sealed class RingTests : AgentTest
{
    private const int SlotCount = 6;

    [Theory, MemberData(nameof(Strategies))]
    public async Task Memory_lies_in_the_ring_and_sums_up_to_the_trailer(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        using RingClient ring = RingClient.TryOpen(Agent.SocketPath)!;

        CaptureStream capture = await CaptureStream.ReadAsync(channel, Request(target, strategy), ring: ring);

        Assert.True(capture.RingBytes >= 60ul << 20, $"{capture.RingBytes} bytes came through the ring");
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_ring_serves_one_capture_and_only_one_that_exists()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "16", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        using RingClient ring = RingClient.TryOpen(Agent.SocketPath)!;

        Assert.NotEqual(0ul, (await CaptureStream.ReadAsync(channel, Request(target, "fork"), ring: ring)).RingBytes);
        Assert.Equal(0ul, (await CaptureStream.ReadAsync(channel, Request(target, "fork"), ring: ring)).RingBytes);
        Assert.Equal(0ul, (await CaptureStream.ReadAsync(channel, Request(target, "fork"), ringToken: new string('0', 32))).RingBytes);
    }

    [Fact]
    public void A_client_can_change_neither_the_length_nor_the_bytes_of_its_ring()
    {
        using RingClient ring = RingClient.TryOpen(Agent.SocketPath)!;

        Assert.False(ring.CanChange());
    }

    [Theory]
    [InlineData("fork")]
    [InlineData("precopy")]
    public async Task A_client_that_closes_its_ring_ends_its_capture_and_harms_nobody(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "128", "--threads", "2");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        using RingClient ring = RingClient.TryOpen(Agent.SocketPath)!;
        using AsyncServerStreamingCall<CaptureResponse> call = Begin(channel, target, strategy, ring);
        await ReadChunksAsync(call, SlotCount); // all slots are full, and none was given back

        ring.Dispose();

        await RpcAssert.FailsWithReasonAsync(() => ReadChunksAsync(call, int.MaxValue), StatusCode.Aborted, "RING_BROKEN");
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_client_that_gives_back_what_it_never_had_loses_its_ring()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        using RingClient ring = RingClient.TryOpen(Agent.SocketPath)!;
        using AsyncServerStreamingCall<CaptureResponse> call = Begin(channel, target, "fork", ring);
        await ReadChunksAsync(call, 2);

        ring.Free(1000);

        await RpcAssert.FailsWithReasonAsync(() => ReadChunksAsync(call, int.MaxValue), StatusCode.Aborted, "RING_BROKEN");
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_capture_that_waits_for_a_slot_is_cancelled_as_any_other()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64", "--threads", "2");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        using RingClient ring = RingClient.TryOpen(Agent.SocketPath)!;
        using (AsyncServerStreamingCall<CaptureResponse> call = Begin(channel, target, "fork", ring))
        {
            await ReadChunksAsync(call, SlotCount);
        }

        await before.AssertUnchangedAsync();
        await Agent.AssertNoWorkersAsync();
        await target.CheckAsync();
    }

    [Fact]
    public async Task There_are_only_so_many_rings_and_clients_do_without()
    {
        List<RingClient?> rings = [];
        try
        {
            for (int i = 0; i < 40; i++)
            {
                rings.Add(RingClient.TryOpen(Agent.SocketPath));
            }

            Assert.Equal(32, rings.Count(ring => ring is not null));
            using LiveProcess target = LiveProcess.Start("canary", "--mib", "16", "--threads", "2");
            await SnapshotAsync(target, "precopy");
            using CoreImage core = new(CorePath);
            core.AssertHolds(target.Range("private"));
        }
        finally
        {
            rings.ForEach(ring => ring?.Dispose());
        }
    }

    [Theory]
    [InlineData("corelift memory ring 9\n\n")]
    [InlineData("corelift memory ring 1  ")]
    [InlineData("GET / HTTP/1.1\r\n\r\n")]
    public void Another_preface_gets_no_ring(string preface) => Assert.Null(RingClient.TryOpen(Agent.SocketPath, preface));

    private static CaptureRequest Request(LiveProcess target, string strategy) =>
        CaptureStream.Request(target, Enum.Parse<Strategy>(strategy, ignoreCase: true));

    private static AsyncServerStreamingCall<CaptureResponse> Begin(GrpcChannel channel, LiveProcess target, string strategy, RingClient ring) =>
        new SnapshotService.SnapshotServiceClient(channel).Capture(Request(target, strategy), new Metadata { { CaptureStream.RingHeader, ring.Token } });

    /// <summary>Reads messages until so many chunks lie in the ring, or the stream ends.</summary>
    private static async Task ReadChunksAsync(AsyncServerStreamingCall<CaptureResponse> call, int count)
    {
        while (count > 0 && await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            count -= call.ResponseStream.Current.Memory is { HasRingOffsetBytes: true } ? 1 : 0;
        }
    }
}
