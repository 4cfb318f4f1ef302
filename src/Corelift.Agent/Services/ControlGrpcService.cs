using Corelift.Agent.Access;
using Corelift.Agent.Audit;
using Corelift.Agent.Telemetry;
using Corelift.Capture;
using Corelift.Capture.Sessions;
using Corelift.V1;
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

    private readonly CaptureEngine _engine;
    private readonly SealingRule _sealing;
    private readonly Admission _admission;
    private readonly LeaseBook _leases;
    private readonly ILogger<ControlGrpcService> _log;

    public ControlGrpcService(
        CaptureEngine engine, SealingRule sealing, Admission admission, LeaseBook leases, ILogger<ControlGrpcService> log)
    {
        _engine = engine;
        _sealing = sealing;
        _admission = admission;
        _leases = leases;
        _log = log;
    }

    public override async Task<StopResponse> Stop(StopRequest request, ServerCallContext context)
    {
        Linux.ProcessRef target = RequestLimits.ToTarget(request.Ref);
        TimeSpan timeToLive = RequestLimits.ToLease(request.TimeToLive, _engine.Options, _engine.Options.DefaultLease);
        TimeSpan budget = RequestLimits.ToStopBudget(request.StopBudget, _engine.Options, "stop_budget");
        AdmissionRequest ask = new("stop", AccessVerb.Stop, null) { Reason = request.Reason };
        Operation operation = await _admission.BeginAsync(context.GetCaller(), target, ask, context.CancellationToken);
        StopLease lease = await StopAsync(operation, timeToLive, budget, context.CancellationToken);
        _ = CoreliftMetrics.MeasureAsync(lease);
        LeaseExpiry.HoldFor(lease, context.GetCaller());
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

    public override async Task<KeepAliveResponse> KeepAlive(KeepAliveRequest request, ServerCallContext context)
    {
        OwnedLease owned = _leases.Find(request.LeaseId, context.GetCaller());
        await owned.Stop.RequireStillAsync(context.CancellationToken);
        TimeSpan wanted = RequestLimits.ToLease(request.TimeToLive, _engine.Options, owned.Lease.TimeToLive);
        TimeSpan granted = owned.Lease.KeepAlive(owned.Stop.CutStop(wanted, owned.Lease.StoppedFor));
        LeaseExpiry.HoldFor(owned.Lease, context.GetCaller());
        return new KeepAliveResponse { TimeToLive = Duration.FromTimeSpan(granted) };
    }

    public override async Task<ResumeResponse> Resume(ResumeRequest request, ServerCallContext context)
    {
        StopLease lease = _leases.Find(request.LeaseId, context.GetCaller()).Lease;
        TimeSpan stopped = await lease.ResumeAsync();
        AgentLog.TargetResumed(_log, lease.Target.Pid, stopped.TotalMilliseconds);
        return new ResumeResponse { StoppedFor = Duration.FromTimeSpan(stopped) };
    }

    public override async Task GetRegisters(
        GetRegistersRequest request, IServerStreamWriter<GetRegistersResponse> stream, ServerCallContext context)
    {
        _sealing.RefuseInTheClear("registers");
        if (request.Tids.Count > MostTids)
        {
            throw RpcErrors.InvalidField("tids", $"has {request.Tids.Count} entries; the most is {MostTids}");
        }

        OwnedLease owned = _leases.Find(request.LeaseId, context.GetCaller());
        AdmissionRequest ask = new("read-registers", AccessVerb.Stop, null) { Reason = owned.Stop.Reason, Stops = false };
        Operation operation = await _admission.BeginAsync(context.GetCaller(), owned.Stop.Target, ask, context.CancellationToken);
        HashSet<int> wanted = [.. request.Tids.Select(tid => (int)Math.Min(tid, int.MaxValue))];
        await operation.RunAsync(() => WriteRegistersAsync(
            owned.Lease, operation, wanted, new DecidedStreamWriter<GetRegistersResponse>(stream, operation), context.CancellationToken));
    }

    public override async Task ReadMemory(ReadMemoryRequest request, IServerStreamWriter<ReadMemoryResponse> stream, ServerCallContext context)
    {
        _sealing.RefuseInTheClear("memory");
        CheckRanges(request);
        Caller caller = context.GetCaller();
        OwnedLease owned = _leases.Find(request.LeaseId, caller);
        bool seesSecrets = await _admission.AllowsSecretsAsync(caller, owned.Stop.Target, context.CancellationToken);
        AdmissionRequest ask = new("read-memory", AccessVerb.Snapshot, CaptureContent.Full)
        {
            IncludesSecrets = seesSecrets,
            Reason = request.Reason.Length > 0 ? request.Reason : owned.Stop.Reason,
            Stops = false,
        };
        Operation operation = await _admission.BeginAsync(caller, owned.Stop.Target, ask, context.CancellationToken);
        await operation.RunAsync(async () =>
        {
            var reader = new LeaseMemoryReader(
                owned.Lease, operation, SecretRanges.Find(owned.Lease, operation.Secrets),
                new DecidedStreamWriter<ReadMemoryResponse>(stream, operation));
            foreach (AddressRange range in request.Ranges)
            {
                await reader.ReadAsync(range, context.CancellationToken);
            }
        });
    }

    private static async Task WriteRegistersAsync(
        StopLease lease, Operation operation, HashSet<int> wanted, IServerStreamWriter<GetRegistersResponse> stream, CancellationToken cancellationToken)
    {
        using IDisposable use = lease.Use(); // the lease may end meanwhile: the registers are those of the stop all the same
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
            await stream.WriteAsync(message, cancellationToken);
            operation.Result = operation.Result with { Threads = operation.Result.Threads + list.Count };
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

    private async Task<StopLease> StopAsync(Operation operation, TimeSpan timeToLive, TimeSpan budget, CancellationToken cancellationToken)
    {
        try
        {
            TimeSpan live = operation.CutStop(timeToLive, TimeSpan.Zero);
            StopLease lease = await _engine.StopAsync(operation.Target.Process, live, budget, operation.ApproveAsync, cancellationToken);
            operation.Result = new AuditResult { Threads = lease.ThreadCount };
            _ = _leases.Add(lease, operation);
            return lease;
        }
        catch (Exception failure)
        {
            await operation.EndAsync(Operation.Name(failure));
            throw;
        }
    }

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
