using Corelift.Client.Receiving;
using Corelift.Client.Wire;
using Grpc.Core;

namespace Corelift.Client;

/// <summary>Snapshots that stay sealed.</summary>
public sealed partial class CoreliftClient
{
    /// <summary>
    /// Takes a snapshot that the agent seals, and keeps it as it comes: one age file, which needs no private key here.
    /// </summary>
    /// <param name="request">
    /// What to capture, how, and whom to seal it to. Without recipients it works where the agent seals to its own.
    /// </param>
    /// <param name="destination">Where the sealed file goes. Any stream does: nothing in it is written twice.</param>
    /// <param name="progress">Told some 20 times per second; null for nobody. Bytes are those of the sealed file.</param>
    /// <param name="cancellation">Gives up: the agent resumes the target at once, and no file is left.</param>
    /// <exception cref="AgentException">The agent refused the capture, or gave it up.</exception>
    /// <exception cref="SnapshotException">The transfer broke, the agent did not seal, or the file cannot be written.</exception>
    public async Task<SealedSnapshotResult> SealedSnapshotAsync(
        SnapshotRequest request,
        SnapshotDestination destination,
        IProgress<SnapshotProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(destination);
        request.Verify();
        using CoreOutput output = destination.Open();
        using SnapshotSpan span = new(request);
        SealedFileReceiver receiver = new(output.Stream, request.Limits, progress);
        using AsyncServerStreamingCall<CaptureFrame> call = _invoker.AsyncServerStreamingCall(
            CaptureMethod.Instance, null, new CallOptions(cancellationToken: cancellation), request.ToCapture(sinkCannotSeek: false, _reason));
        receiver.Report(SnapshotPhase.Planning, force: true);
        try
        {
            await ReceiveAsync(call.ResponseStream, receiver, request with { Identities = [] }, span, cancellation);
            span.Received();
            if (!receiver.HasBegun)
            {
                throw Broken(receiver, "the agent ended it without a word", null);
            }

            string? path = output.Commit(isPartial: false);
            receiver.Report(SnapshotPhase.Complete, force: true);
            span.SucceededSealed();
            return new SealedSnapshotResult { Path = path, FileLengthBytes = (long)receiver.ReceivedBytes, Elapsed = receiver.Elapsed };
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw output.Failure(failure);
        }
    }
}
