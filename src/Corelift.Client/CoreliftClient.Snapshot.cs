using Corelift.Client.Local;
using Corelift.Client.Receiving;
using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.V1;
using Grpc.Core;

namespace Corelift.Client;

/// <summary>Plans and snapshots.</summary>
public sealed partial class CoreliftClient
{
    /// <summary>Says what a capture would do and cost, without touching the target. Leases and limits of the request play no part.</summary>
    public Task<PlanResponse> PlanAsync(SnapshotRequest request, CancellationToken cancellation = default) =>
        PlanAsync(request, trackingRound: false, cancellation);

    /// <summary>Says what a capture would do and cost. Leases and limits of the request play no part.</summary>
    /// <param name="request">What would be captured, and how.</param>
    /// <param name="trackingRound">
    /// Whether the rate at which the target writes to its memory may be measured, which stops one of its threads for less
    /// than a millisecond. Otherwise nothing touches it.
    /// </param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<PlanResponse> PlanAsync(SnapshotRequest request, bool trackingRound, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        PlanRequest plan = new() { Ref = request.Target, Options = request.ToOptions(), TrackingRound = trackingRound };
        PlanResponse answer = await InvokeAsync(_snapshots.PlanAsync(plan, cancellationToken: cancellation), cancellation);
        return answer is { Process: not null, Plan: not null } ? answer : throw Incomplete("the process or the plan");
    }

    /// <summary>
    /// Captures a process into a core. The agent is not trusted: order, bounds, totals and digest of what it sends are
    /// checked, and only a core that agrees with its trailer gets its name. One from which memory is missing, as the agent
    /// says, gets that name with the suffix ".partial" (<see cref="SnapshotResult.IsPartial"/>).
    /// </summary>
    /// <param name="request">What to capture, and how.</param>
    /// <param name="destination">Where the core goes. A file that cannot be made is found out before the target is touched.</param>
    /// <param name="progress">Told some 20 times per second; null for nobody.</param>
    /// <param name="cancellation">Gives up: the agent resumes the target at once, and no file is left.</param>
    /// <exception cref="AgentException">The agent refused the capture, or gave it up.</exception>
    /// <exception cref="SnapshotException">
    /// The transfer broke, the agent broke the protocol, the core cannot be written, or the agent seals every snapshot.
    /// </exception>
    public async Task<SnapshotResult> SnapshotAsync(
        SnapshotRequest request,
        SnapshotDestination destination,
        IProgress<SnapshotProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(destination);
        request.Verify();
        if (request.Recipients.Count > 0 && request.Identities.Count == 0)
        {
            throw new ArgumentException("a snapshot that is sealed becomes a core only by a private key: give one, or keep it sealed (SealedSnapshotAsync)", nameof(request));
        }

        using CoreOutput output = destination.Open();
        CaptureRequest capture = request.ToCapture(sinkCannotSeek: !output.Stream.CanSeek, _reason);
        if (capture.Options is { Strategy: Strategy.Precopy, SinkCannotSeek: true })
        {
            throw new SnapshotException(SnapshotFailure.Output, "strategy precopy replaces what it sent before, so the core "
                + $"must go to a file; {output.FinalPath ?? "the output stream"} cannot seek: take strategy auto, fork or direct");
        }

        using MemoryRing? ring = OpenRing(capture.Options);
        using SnapshotSpan span = new(request);
        using CaptureReceiver receiver = new(output.Stream, request.Limits, progress, ring) { IsOpened = request.Identities.Count > 0 };
        using AsyncServerStreamingCall<CaptureFrame> call = _invoker.AsyncServerStreamingCall(
            CaptureMethod.Instance, null, new CallOptions(ring is null ? null : new Metadata { { MemoryRing.Header, ring.Token } }, cancellationToken: cancellation), capture);
        receiver.Report(force: true);
        try
        {
            await ReceiveAsync(call.ResponseStream, receiver, request, span, cancellation);
            span.Received();
            if (!receiver.IsComplete)
            {
                throw Broken(receiver, "the agent ended it without its trailer", null);
            }

            SnapshotResult result = receiver.Finish();
            result = result with { Path = output.Commit(result.IsPartial) };
            receiver.Report(force: true);
            span.Succeeded(result);
            return result;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CoreFormatException)
        {
            throw output.Failure(failure);
        }
    }

    /// <summary>On one host, uncompressed memory passes through a ring that both sides see.</summary>
    private MemoryRing? OpenRing(CaptureOptions options) =>
        _ringPath is { } path && options is { Compression: Compression.Unspecified or Compression.None, Recipients.Count: 0 }
            ? MemoryRing.TryOpen(path)
            : null;

    private async Task ReceiveAsync(
        IAsyncStreamReader<CaptureFrame> frames, IFrameReceiver receiver, SnapshotRequest request, SnapshotSpan span, CancellationToken cancellation)
    {
        using FrameQueue queue = new(receiver);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, queue.Failed);
        try
        {
            if (request.Identities.Count > 0)
            {
                await using SealedParts parts = new(frames, span);
                await SealedMessages.ReadAsync(parts, request.Identities, queue, either.Token);
            }
            else
            {
                while (await frames.MoveNext(either.Token) && await queue.TryAddAsync(frames.Current))
                {
                    span.MessageArrived();
                }
            }
        }
        catch (RpcException failure)
        {
            await queue.DrainAsync(); // what came before counts first
            AgentException translated = AgentErrors.Translate(failure, Address, cancellation);
            throw IsTransport(failure, translated, receiver.HasBegun) ? Broken(receiver, translated.Message, translated) : translated;
        }
        finally
        {
            await queue.DrainAsync(); // nobody writes after this method has ended, however it ends
        }
    }

    /// <summary>Whether a connection broke that was there, as against an agent that says why it gives up.</summary>
    private static bool IsTransport(RpcException failure, AgentException translated, bool hasBegun)
    {
        bool isOfThisSide = failure.Status.DebugException is not null; // an answer of the agent's has none
        bool mayBeTransport = translated.Status
            is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown or StatusCode.Cancelled or StatusCode.DataLoss;
        return translated is not AgentUnreachableException
            && translated.Reason.Length == 0
            && (isOfThisSide || (hasBegun && mayBeTransport));
    }

    private static SnapshotException Broken(IFrameReceiver receiver, string why, Exception? cause) => new(
        SnapshotFailure.Broken, $"the transfer broke off after {receiver.ReceivedBytes} bytes of memory: {why}; nothing was kept", cause);
}
