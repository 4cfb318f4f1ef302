using Corelift.Agent.Access;
using Corelift.Capture;
using Corelift.Capture.Sessions;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Connections.Features;

namespace Corelift.Agent.Services;

/// <summary>Stops processes under leases (corelift.v1.ControlService).</summary>
internal sealed class ControlGrpcService : ControlService.ControlServiceBase
{
    private const int MostRanges = 1000;
    private const ulong MostAddresses = 1UL << 40;
    private const int MostTids = 10_000;
    private const int PieceBytes = 256 * 1024;
    private const ulong PageBytes = 4096;

    private readonly CaptureEngine _engine;
    private readonly ILogger<ControlGrpcService> _log;

    public ControlGrpcService(CaptureEngine engine, ILogger<ControlGrpcService> log)
    {
        _engine = engine;
        _log = log;
    }

    public override async Task<StopResponse> Stop(StopRequest request, ServerCallContext context)
    {
        Linux.ProcessRef target = RequestLimits.ToTarget(request.Ref);
        TimeSpan timeToLive = RequestLimits.ToLease(request.TimeToLive, _engine.Options, _engine.Options.DefaultLease);
        TimeSpan budget = RequestLimits.ToStopBudget(request.StopBudget, _engine.Options, "stop_budget");
        StopLease lease = await _engine.StopAsync(target, timeToLive, budget, context.CancellationToken);
        LeaseExpiry.HoldFor(lease, context.GetHttpContext().Features.Get<Caller>());
        if (request.ResumeOnDisconnect)
        {
            ResumeOnDisconnect(lease, context);
        }

        AgentLog.TargetStopped(_log, lease.Target.Pid, lease.ThreadCount, timeToLive.TotalMilliseconds);
        return new StopResponse
        {
            LeaseId = lease.Id,
            Ref = lease.Target.ToWire(),
            TimeToLive = Duration.FromTimeSpan(lease.TimeToLive),
            MaxHold = Duration.FromTimeSpan(lease.MaxHold),
            ThreadCount = (uint)lease.ThreadCount,
            Skew = Duration.FromTimeSpan(lease.Skew),
            WasGroupStopped = lease.WasGroupStopped,
        };
    }

    public override Task<KeepAliveResponse> KeepAlive(KeepAliveRequest request, ServerCallContext context)
    {
        StopLease lease = _engine.FindLease(request.LeaseId);
        TimeSpan granted = lease.KeepAlive(RequestLimits.ToLease(request.TimeToLive, _engine.Options, lease.TimeToLive));
        LeaseExpiry.HoldFor(lease, context.GetHttpContext().Features.Get<Caller>());
        return Task.FromResult(new KeepAliveResponse { TimeToLive = Duration.FromTimeSpan(granted) });
    }

    public override async Task<ResumeResponse> Resume(ResumeRequest request, ServerCallContext context)
    {
        StopLease lease = _engine.FindLease(request.LeaseId);
        TimeSpan stopped = await lease.ResumeAsync();
        AgentLog.TargetResumed(_log, lease.Target.Pid, stopped.TotalMilliseconds);
        return new ResumeResponse { StoppedFor = Duration.FromTimeSpan(stopped) };
    }

    public override async Task GetRegisters(
        GetRegistersRequest request, IServerStreamWriter<GetRegistersResponse> stream, ServerCallContext context)
    {
        if (request.Tids.Count > MostTids)
        {
            throw RpcErrors.InvalidField("tids", $"has {request.Tids.Count} entries; the most is {MostTids}");
        }

        StopLease lease = _engine.FindLease(request.LeaseId);
        HashSet<int> wanted = [.. request.Tids.Select(tid => (int)Math.Min(tid, int.MaxValue))];
        HashSet<int> stopped = [.. Enumerable.Range(0, lease.ThreadCount).Select(lease.Threads.Tid)];
        if (wanted.FirstOrDefault(tid => !stopped.Contains(tid)) is var missing and not 0)
        {
            throw RpcErrors.NoSuchThread(missing, lease.Target.Pid);
        }

        using var threads = new ThreadMapping(lease.Threads, lease.ThreadCount, lease.Target.Pid);
        foreach (List<StoppedThread> list in threads.InMessages(wanted.Count == 0 ? null : wanted.Contains))
        {
            var message = new GetRegistersResponse();
            message.Threads.AddRange(list);
            await stream.WriteAsync(message, context.CancellationToken);
        }
    }

    public override async Task ReadMemory(ReadMemoryRequest request, IServerStreamWriter<ReadMemoryResponse> stream, ServerCallContext context)
    {
        CheckRanges(request);
        StopLease lease = _engine.FindLease(request.LeaseId);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(PieceBytes);
        foreach (AddressRange range in request.Ranges)
        {
            await ReadRangeAsync(lease, range, buffer, stream, context.CancellationToken);
        }
    }

    private static void CheckRanges(ReadMemoryRequest request)
    {
        if (request.Ranges.Count is 0 or > MostRanges)
        {
            throw RpcErrors.InvalidField("ranges", $"has {request.Ranges.Count} entries; ask for 1 to {MostRanges}");
        }

        ulong sum = 0;
        foreach (AddressRange range in request.Ranges)
        {
            if (range.End < range.Start || range.End > 1UL << 63 || range.End - range.Start > MostAddresses - sum)
            {
                throw RpcErrors.InvalidField("ranges", "has one that ends before it starts, lies outside user space, or makes the sum larger than 1 TiB");
            }

            sum += range.End - range.Start;
        }
    }

    private static async Task ReadRangeAsync(
        StopLease lease, AddressRange range, byte[] buffer, IServerStreamWriter<ReadMemoryResponse> stream, CancellationToken cancellationToken)
    {
        ulong holeStart = 0;
        bool inHole = false;
        for (ulong address = range.Start; address < range.End;)
        {
            int wanted = (int)Math.Min(range.End - address, PieceBytes);
            int read = await lease.ReadAsync(address, buffer.AsMemory(0, wanted), cancellationToken);
            if (read > 0)
            {
                if (inHole)
                {
                    await WriteHoleAsync(holeStart, address, stream, cancellationToken);
                    inHole = false;
                }

                var chunk = new MemoryChunk { Address = address, LengthBytes = (uint)read, Data = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, read)) };
                await stream.WriteAsync(new ReadMemoryResponse { Chunk = chunk }, cancellationToken);
                address += (ulong)read;
                continue;
            }

            holeStart = inHole ? holeStart : address;
            inHole = true;
            address = Math.Min(range.End, (address & ~(PageBytes - 1)) + PageBytes);
        }

        if (inHole)
        {
            await WriteHoleAsync(holeStart, range.End, stream, cancellationToken);
        }
    }

    private static Task WriteHoleAsync(ulong start, ulong end, IServerStreamWriter<ReadMemoryResponse> stream, CancellationToken cancellationToken) =>
        stream.WriteAsync(
            new ReadMemoryResponse { Hole = new Hole { Range = WireMapping.ToRange(start, end), Reason = HoleReason.Unreadable } }, cancellationToken);

    private void ResumeOnDisconnect(StopLease lease, ServerCallContext context)
    {
        CancellationToken closed = context.GetHttpContext().Features.Get<IConnectionLifetimeFeature>()?.ConnectionClosed ?? default;
        closed.Register(() =>
        {
            AgentLog.ClientGone(_log, lease.Target.Pid);
            _ = lease.ResumeAsync();
        });
    }
}
