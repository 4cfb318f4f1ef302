using Corelift.Capture.Sessions;

namespace Corelift.Capture;

/// <summary>A capture that has begun: with strategy precopy first the live rounds, then the instant; otherwise the instant at once.</summary>
public sealed class CaptureUnderWay : IAsyncDisposable
{
    private readonly Func<CancellationToken, Task<SnapshotSession>> _take;
    private readonly Func<ValueTask> _end;
    private SnapshotSession? _session;

    internal CaptureUnderWay(
        CapturePlan plan, PrecopyCapture? live, Func<CancellationToken, Task<SnapshotSession>> take, Func<ValueTask> end)
    {
        Plan = plan;
        Live = live;
        _take = take;
        _end = end;
    }

    /// <summary>What was planned.</summary>
    public CapturePlan Plan { get; }

    /// <summary>The live rounds of strategy precopy; null for the others.</summary>
    public PrecopyCapture? Live { get; }

    /// <summary>Stops the target and takes the snapshot. Once.</summary>
    /// <exception cref="CaptureException">There is no snapshot, and the target runs.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the target runs, and nothing is left behind.</exception>
    public async Task<SnapshotSession> TakeInstantAsync(CancellationToken cancellationToken) =>
        _session = await _take(cancellationToken).ConfigureAwait(false);

    /// <summary>Ends whatever is under way, the snapshot included.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_session is not null)
        {
            await _session.DisposeAsync().ConfigureAwait(false);
        }

        await _end().ConfigureAwait(false);
    }
}
