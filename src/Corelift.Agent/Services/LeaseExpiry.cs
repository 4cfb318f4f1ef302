using System.Runtime.CompilerServices;
using Corelift.Agent.Access;
using Corelift.Capture.Sessions;

namespace Corelift.Agent.Services;

/// <summary>
/// Ends leases when the certificate or token of whoever spoke for them last runs out. The call that stopped the target has ended
/// by then, so nothing else would.
/// </summary>
internal static class LeaseExpiry
{
    private static readonly ConditionalWeakTable<StopLease, Watch> s_watches = [];

    /// <summary>Notes that a caller holds the lease, from its stop or from a word that keeps it alive.</summary>
    internal static void HoldFor(StopLease lease, Caller? caller)
    {
        if (caller?.ExpiresAt is { } end)
        {
            s_watches.GetOrAdd(lease, static held => new Watch(held)).Until(end);
        }
        else if (s_watches.TryGetValue(lease, out Watch? watch))
        {
            watch.Until(DateTimeOffset.MaxValue);
        }
    }

    private sealed class Watch
    {
        private readonly StopLease _lease;
        private readonly ITimer _timer;

        internal Watch(StopLease lease)
        {
            _lease = lease;
            _timer = TimeProvider.System.CreateTimer(_ => End(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        /// <summary>The lease ends at its longest hold in any case: a time beyond that needs no timer.</summary>
        internal void Until(DateTimeOffset end)
        {
            TimeSpan left = end - DateTimeOffset.UtcNow;
            _ = _timer.Change(left < TimeSpan.Zero ? TimeSpan.Zero : left > _lease.MaxHold ? Timeout.InfiniteTimeSpan : left, Timeout.InfiniteTimeSpan);
        }

        private void End()
        {
            _timer.Dispose();
            _ = _lease.ResumeAsync();
        }
    }
}
