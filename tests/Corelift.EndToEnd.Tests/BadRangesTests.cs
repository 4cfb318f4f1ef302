using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Addresses, lengths and numbers of ranges that cannot be, of a target that is stopped for it.</summary>
public sealed class BadRangesTests : AgentTest
{
    private const ulong UserEnd = 0x8000_0000_0000, KernelStart = 0xffff_8000_0000_0000;

    private async Task WithLeaseAsync(Func<ControlService.ControlServiceClient, string, LiveProcess, Task> use)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "1");
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await control.StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(25)),
        });
        await use(control, lease.LeaseId, target);
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
    }

    private static async Task<List<ReadMemoryResponse>> ReadAsync(ControlService.ControlServiceClient control, string lease, params IEnumerable<(ulong Start, ulong End)> ranges)
    {
        ReadMemoryRequest request = new() { LeaseId = lease };
        request.Ranges.Add(ranges.Select(range => new AddressRange { Start = range.Start, End = range.End }));
        using AsyncServerStreamingCall<ReadMemoryResponse> call = control.ReadMemory(request);
        return await call.ResponseStream.ReadAllAsync().ToListAsync();
    }

    [Theory]
    [InlineData(0, 8192)]
    [InlineData(1, 4097)]
    [InlineData(UserEnd, UserEnd + 4096)]
    [InlineData((1UL << 63) - 4096, 1UL << 63)]
    public Task Addresses_where_nothing_can_be_are_one_hole(ulong start, ulong end) => WithLeaseAsync(async (control, lease, _) =>
    {
        Hole hole = Assert.Single(await ReadAsync(control, lease, (start, end))).Hole;
        Assert.Equal((start, end, HoleReason.Unreadable), (hole.Range.Start, hole.Range.End, hole.Reason));
    });

    [Theory]
    [InlineData(KernelStart, KernelStart + 4096)]
    [InlineData(ulong.MaxValue - 4095, ulong.MaxValue)]
    [InlineData(0, ulong.MaxValue)]
    [InlineData(1UL << 63, (1UL << 63) + 1)]
    [InlineData(4096, 0)]
    public Task Addresses_of_the_kernel_and_ranges_that_wrap_are_invalid_arguments(ulong start, ulong end) => WithLeaseAsync(async (control, lease, _) =>
    {
        RpcException refusal = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(control, lease, (start, end)));
        Assert.Equal(StatusCode.InvalidArgument, refusal.StatusCode);
        Assert.DoesNotContain("EFAULT", refusal.Status.Detail, StringComparison.Ordinal);
    });

    [Fact]
    public Task Ranges_may_be_empty_unaligned_overlap_and_descend() => WithLeaseAsync(async (control, lease, target) =>
    {
        AddressSpan span = target.Range("private");
        (ulong Start, ulong End)[] ranges = [(span.Start + 100, span.Start + 100), (span.Start + 5001, span.Start + 9000), (span.Start + 3, span.Start + 8192), (span.Start, span.Start + 1)];
        byte[] whole = [.. (await ReadAsync(control, lease, (span.Start, span.Start + 16384))).SelectMany(part => part.Chunk.Data)];
        Assert.Equal(-1, TraceeMemory.FirstDifference(whole, span.Start));
        List<ReadMemoryResponse> parts = await ReadAsync(control, lease, ranges);
        Assert.Equal(
            ranges.Sum(range => (long)(range.End - range.Start)), parts.Sum(part => part.Chunk.Data.Length));
        Assert.All(parts, part => Assert.Equal(whole.AsSpan((int)(part.Chunk.Address - span.Start), part.Chunk.Data.Length), part.Chunk.Data.Span));
    });

    [Fact]
    public Task No_range_and_too_many_ranges_are_invalid_arguments_and_a_million_is_too_large_a_message() => WithLeaseAsync(async (control, lease, _) =>
    {
        await RpcAssert.FailsAsync(() => ReadAsync(control, lease), StatusCode.InvalidArgument);
        await RpcAssert.FailsAsync(() => ReadAsync(control, lease, Enumerable.Repeat((0UL, 1UL), 1001)), StatusCode.InvalidArgument);
        RpcException refusal = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(control, lease, Enumerable.Repeat((0UL, 1UL), 1_000_000)));
        Assert.Equal(StatusCode.ResourceExhausted, refusal.StatusCode);
    });

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("../../etc/passwd")]
    [InlineData("00000000000000000000000000000000")]
    public async Task Leases_that_never_were_do_not_exist(string lease)
    {
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        await RpcAssert.FailsWithReasonAsync(async () => await control.ResumeAsync(new ResumeRequest { LeaseId = lease }), StatusCode.NotFound, "LEASE_NOT_FOUND");
        await RpcAssert.FailsWithReasonAsync(async () => await control.KeepAliveAsync(new KeepAliveRequest { LeaseId = lease }), StatusCode.NotFound, "LEASE_NOT_FOUND");
        await RpcAssert.FailsWithReasonAsync(() => ReadAsync(control, lease, (0UL, 1UL)), StatusCode.NotFound, "LEASE_NOT_FOUND");
    }
}
