using System.Globalization;
using Corelift.Agent.Access;
using Corelift.Agent.Local;
using Corelift.Agent.Telemetry;
using Corelift.Capture;
using Corelift.Capture.Reading;
using Corelift.Capture.Sessions;
using Corelift.Sealing;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Corelift.Agent.Services;

/// <summary>Plans and takes snapshots (corelift.v1.SnapshotService).</summary>
internal sealed class SnapshotGrpcService : SnapshotService.SnapshotServiceBase
{
    private const int PageBytes = 4096;

    private readonly CaptureEngine _engine;
    private readonly ProcessDescriber _describer;
    private readonly AccessGate _gate;
    private readonly Admission _admission;
    private readonly LeaseBook _leases;
    private readonly MemoryRings _rings;
    private readonly SealingRule _sealing;
    private readonly ILogger<SnapshotGrpcService> _log;

    public SnapshotGrpcService(
        CaptureEngine engine,
        ProcessDescriber describer,
        AccessGate gate,
        Admission admission,
        LeaseBook leases,
        MemoryRings rings,
        SealingRule sealing,
        ILogger<SnapshotGrpcService> log)
    {
        (_gate, _admission, _leases, _sealing) = (gate, admission, leases, sealing);
        _engine = engine;
        _describer = describer;
        _rings = rings;
        _log = log;
    }

    public override async Task<PlanResponse> Plan(PlanRequest request, ServerCallContext context)
    {
        Linux.ProcessRef target = RequestLimits.ToTarget(request.Ref);
        Capture.CaptureRequest wanted = RequestLimits.ToRequest(request.Options, _engine.Options);
        _ = _sealing.RecipientsOf(request.Options);
        target = await _gate.RequireInspectAsync(context.GetCaller(), target, context.CancellationToken);
        wanted = wanted with { Secrets = _admission.SecretsNow(wanted.Secrets.IsIncluded) };
        Capture.CapturePlan plan = request.TrackingRound ? await MeasureAsync(target, wanted, context) : _engine.Plan(target, wanted);
        return new PlanResponse { Process = await _describer.DescribeAsync(target, context.CancellationToken), Plan = plan.ToWire(wanted.Content) };
    }

    public override async Task Capture(V1.CaptureRequest request, IServerStreamWriter<CaptureResponse> stream, ServerCallContext context)
    {
        long began = TimeProvider.System.GetTimestamp();
        Compression compression = RequestLimits.ToCompression(request.Options);
        Capture.CaptureRequest wanted = RequestLimits.ToRequest(request.Options, _engine.Options);
        IReadOnlyList<AgeRecipient> recipients = _sealing.RecipientsOf(request.Options);
        if (request.Ref is not null && request.LeaseId.Length > 0)
        {
            throw RpcErrors.InvalidField("lease_id", "cannot go together with ref: name a process, or a lease whose target is stopped already");
        }

        OwnedLease? lease = request.LeaseId.Length == 0 ? null : _leases.Find(request.LeaseId, context.GetCaller());
        AdmissionRequest ask = new("capture", AccessVerb.Snapshot, wanted.Content)
        {
            IncludesSecrets = wanted.Secrets.IsIncluded,
            Reason = request.Reason.Length > 0 || lease is null ? request.Reason : lease.Stop.Reason,
            Stops = lease is null,
            Recipients = [.. recipients.Select(recipient => recipient.ToString())],
        };
        Operation operation = lease is null
            ? await _admission.BeginAsync(context.GetCaller(), RequestLimits.ToTarget(request.Ref), ask, context.CancellationToken)
            : await _admission.BeginAsync(context.GetCaller(), lease.Stop.Target, ask, context.CancellationToken);
        wanted = wanted with { Approve = operation.ApproveAsync, Secrets = operation.Secrets };
        using RingWriter? ring = recipients.Count == 0 && compression is (Compression.Unspecified or Compression.None) ? _rings.Claim(context) : null;
        await operation.RunAsync(async () =>
        {
            using var time = new CaptureTime(_engine.Options.MaxCaptureTime, context.CancellationToken);
            IServerStreamWriter<CaptureResponse> decided = new DecidedStreamWriter<CaptureResponse>(time.Bind(stream), operation);
            using SealedStreamWriter? seal = SealedStreamWriter.For(recipients, decided);
            await time.KeepAsync(async cancellationToken =>
            {
                await CaptureAsync(operation, lease?.Lease, wanted, compression, ring, seal ?? decided, began, cancellationToken);
                await (seal?.CompleteAsync(cancellationToken) ?? Task.CompletedTask);
            });
        });
    }

    private async Task<Capture.CapturePlan> MeasureAsync(Linux.ProcessRef target, Capture.CaptureRequest wanted, ServerCallContext context)
    {
        AdmissionRequest ask = new("measure", AccessVerb.Stop, null) { TakesReason = false };
        Operation operation = await _admission.BeginAsync(context.GetCaller(), target, ask, context.CancellationToken);
        Capture.CapturePlan? plan = null;
        await operation.RunAsync(async () =>
            plan = await _engine.PlanWithRoundAsync(operation.Target.Process, wanted with { Approve = operation.ApproveAsync }, context.CancellationToken));
        return plan!;
    }

    private async Task CaptureAsync(
        Operation operation, StopLease? lease, Capture.CaptureRequest wanted, Compression compression, RingWriter? ring,
        IServerStreamWriter<CaptureResponse> stream, long began, CancellationToken cancellationToken)
    {
        using var telemetry = new CaptureTelemetry(wanted.Content, cancellationToken);
        Linux.ProcessRef target = operation.Target.Process;
        Process process = await _describer.DescribeAsync(target, cancellationToken);
        string id = Guid.NewGuid().ToString("N");
        CoreProcessInfo info = CoreInfo.Read(target.Pid);

        if (operation.Ticket.LimitsBytes)
        {
            operation.RequireBytes(_engine.Plan(target, wanted).TotalBytes);
        }

        await using CaptureUnderWay capture = lease is null
            ? await _engine.BeginAsync(target, wanted, cancellationToken)
            : _engine.BeginLease(lease, wanted);
        telemetry.Prepared(process, capture.Plan.Strategy);
        using var chunks = new ChunkWriter(compression);
        using var meter = new CaptureMeter(operation, chunks);
        var pacer = new ReadPacer(target, wanted.RateLimitBytesPerSecond);

        // Where there are no live rounds, what goes wrong with the stop is said before anything else is.
        SnapshotSession? session = meter.Session = capture.Live is null ? await capture.TakeInstantAsync(cancellationToken) : null;
        await stream.WriteAsync(new CaptureResponse { Started = Started(id, process, session?.Plan ?? capture.Plan, wanted.Content) }, cancellationToken);
        if (capture.Live is { } live)
        {
            await WriteRoundsAsync(live, chunks, ring, pacer, telemetry, stream, cancellationToken);
            session = meter.Session = await capture.TakeInstantAsync(cancellationToken);
        }

        telemetry.Taken(session!);
        await using (session!)
        {
            AgentLog.CaptureTaken(_log, id, target.Pid, session!.Strategy, session.ThreadCount, session.Pause?.TotalMilliseconds ?? -1);
            await WriteInstantAsync(session, info, target.Pid, stream, cancellationToken);
            await WriteMemoryAsync(session.Reader, session.Reader.Read(), chunks, ring, session.StillStopped ? null : pacer, round: 0, stream, cancellationToken);
            TimeSpan? stopped = null;
            if (session.StillStopped && lease is null)
            {
                await session.DisposeAsync();
                stopped = session.StoppedInAll;
            }

            await stream.WriteAsync(new CaptureResponse { Trailer = Trailer(session, chunks, pacer, began, stopped) }, cancellationToken);
            telemetry.Served(chunks.MemoryBytes, stopped);
            AgentLog.CaptureServed(_log, id, chunks.MemoryBytes, TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
        }

        if (_engine.ActiveCount == 0)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true); // an idle agent is small
        }
    }

    private static CaptureStarted Started(string id, Process process, Capture.CapturePlan plan, CaptureContent content) => new()
    {
        CaptureId = id,
        Process = process,
        Plan = plan.ToWire(content),
        PageSizeBytes = PageBytes,
        AgentVersion = Agent.AgentVersion.Text,
        HostName = Environment.MachineName,
        KernelRelease = KernelRelease(),
    };

    private static string KernelRelease() => File.ReadAllText("/proc/sys/kernel/osrelease").Trim();

    private static async Task WriteInstantAsync(
        SnapshotSession session, CoreProcessInfo info, int pid, IServerStreamWriter<CaptureResponse> stream, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(new CaptureResponse { Instant = session.ToWire(info) }, cancellationToken);
        using (var threads = new ThreadMapping(session.Threads, session.ThreadCount, pid))
        {
            foreach (List<StoppedThread> list in threads.InMessages())
            {
                var message = new InstantThreads();
                message.Threads.AddRange(list);
                await stream.WriteAsync(new CaptureResponse { Threads = message }, cancellationToken);
            }
        }

        foreach (List<V1.CapturedVma> list in session.Vmas.InMessages())
        {
            var message = new InstantVmas();
            message.Vmas.AddRange(list);
            await stream.WriteAsync(new CaptureResponse { Vmas = message }, cancellationToken);
        }
    }

    /// <summary>Strategy precopy: what is read while the target runs.</summary>
    private static async Task WriteRoundsAsync(
        PrecopyCapture live, ChunkWriter chunks, RingWriter? ring, ReadPacer pacer, CaptureTelemetry telemetry,
        IServerStreamWriter<CaptureResponse> stream, CancellationToken cancellationToken)
    {
        List<List<V1.CapturedVma>> lists = [.. live.Vmas.InMessages()];
        for (int i = 0; i < lists.Count; i++)
        {
            var message = new LiveVmas { IsLast = i == lists.Count - 1 };
            message.Vmas.AddRange(lists[i]);
            await stream.WriteAsync(new CaptureResponse { LiveVmas = message }, cancellationToken);
        }

        while (live.WantsRound())
        {
            await WriteMemoryAsync(live.Reader, live.ReadRound(), chunks, ring, pacer, round: (uint)live.Rounds.Count + 1, stream, cancellationToken);
            telemetry.RoundSent(live.Rounds[^1]);
        }
    }

    private static async Task WriteMemoryAsync(
        SnapshotReader reader, IEnumerable<MemoryPart> all, ChunkWriter chunks, RingWriter? ring, ReadPacer? pacer, uint round,
        IServerStreamWriter<CaptureResponse> stream, CancellationToken cancellationToken)
    {
        var message = new CaptureResponse();
        using IEnumerator<MemoryPart> parts = all.GetEnumerator();
        while (true)
        {
            if (ring is not null)
            {
                reader.Buffer = await ring.ReserveAsync(cancellationToken);
            }

            if (!parts.MoveNext())
            {
                return;
            }

            MemoryPart part = parts.Current;
            if (part.IsZero)
            {
                message.Zero = chunks.ToZero(part);
            }
            else if (part.IsHole)
            {
                message.Hole = chunks.ToHole(part);
            }
            else if (ring is not null && part.Bytes.Length >= RingWriter.LeastBytes)
            {
                message.Memory = chunks.ToRing(part, round, ring);
            }
            else
            {
                message.Memory = chunks.ToChunk(part, round);
            }

            await stream.WriteAsync(message, cancellationToken);
            if (pacer is not null)
            {
                await pacer.PaceAsync(part.Bytes.Length, cancellationToken);
            }
        }
    }

    private static CaptureTrailer Trailer(SnapshotSession session, ChunkWriter chunks, ReadPacer pacer, long began, TimeSpan? stopped)
    {
        var trailer = new CaptureTrailer
        {
            MemoryBytes = chunks.MemoryBytes,
            ChunkCount = chunks.ChunkCount,
            PackedBytes = chunks.PackedBytes,
            Digest = chunks.DigestValue,
            HoleBytes = chunks.HoleBytes,
            ZeroBytes = chunks.ZeroBytes,
            PartialBecause = session.PartialBecause ?? string.Empty,
            Elapsed = Duration.FromTimeSpan(TimeProvider.System.GetElapsedTime(began)),
            Pause = stopped is { } pause ? Duration.FromTimeSpan(pause) : null,
        };
        trailer.Warnings.AddRange(session.Plan.Warnings);
        if (chunks.HoleBytes > 0)
        {
            trailer.Warnings.Add(string.Create(
                CultureInfo.InvariantCulture, $"{chunks.HoleBytes} bytes could not be read; the core's note lists the ranges"));
        }

        if (pacer.Slowed > TimeSpan.Zero)
        {
            trailer.Warnings.Add(string.Create(
                CultureInfo.InvariantCulture, $"reading was slowed for {pacer.Slowed.TotalSeconds:F1} s, as the target or the host was short of CPU, disk or memory"));
        }

        return trailer;
    }
}
