using System.Collections.Concurrent;
using Corelift.Capture;
using Corelift.Capture.Sessions;

namespace Corelift.Agent.Access;

/// <summary>A lease with whose it is.</summary>
/// <param name="Lease">The lease.</param>
/// <param name="Stop">The stop as it was admitted.</param>
internal sealed record OwnedLease(StopLease Lease, Operation Stop)
{
    /// <summary>Whether it belongs to a caller: to the identity, not to the connection.</summary>
    internal bool BelongsTo(Caller caller) => caller.Kind == Stop.Caller.Kind && caller.Name == Stop.Caller.Name;
}

/// <summary>Whose each lease is. Another identity is told that there is no such lease: an id that was overheard is worth nothing.</summary>
internal sealed class LeaseBook(CaptureEngine engine)
{
    private readonly ConcurrentDictionary<string, OwnedLease> _leases = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, Task> _closing = new(StringComparer.Ordinal);

    /// <summary>Takes a lease in; its stop is recorded as ended when the lease has ended, however it ends.</summary>
    internal OwnedLease Add(StopLease lease, Operation stop)
    {
        var owned = new OwnedLease(lease, stop);
        _leases[lease.Id] = owned;
        _closing[lease.Id] = CloseAsync(owned);
        return owned;
    }

    /// <summary>Waits until the ends of all leases that have ended are recorded.</summary>
    internal Task DrainAsync() => Task.WhenAll(_closing.Values);

    /// <summary>Finds a caller's lease.</summary>
    /// <exception cref="CaptureException">It has none of this id (LeaseNotFound).</exception>
    internal OwnedLease Find(string id, Caller caller)
    {
        StopLease lease = engine.FindLease(_leases.TryGetValue(id, out OwnedLease? owned) && owned.BelongsTo(caller) ? id : string.Empty);
        return owned?.Lease == lease ? owned : throw new CaptureException(CaptureFailure.LeaseNotFound, "there is no such lease");
    }

    private async Task CloseAsync(OwnedLease owned)
    {
        await owned.Lease.Completion.ConfigureAwait(false);
        _leases.TryRemove(owned.Lease.Id, out _);
        owned.Stop.Result = owned.Stop.Result with { Stopped = owned.Lease.StoppedFor };
        await owned.Stop.EndAsync("ok").ConfigureAwait(false);
        await Task.Yield(); // so that it is in the list before it is taken out
        _closing.TryRemove(owned.Lease.Id, out _);
    }
}
