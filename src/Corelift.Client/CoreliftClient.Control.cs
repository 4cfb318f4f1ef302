using Corelift.V1;
using Google.Protobuf.WellKnownTypes;

namespace Corelift.Client;

/// <summary>Stopping under a lease, and what can be asked while it lasts.</summary>
public sealed partial class CoreliftClient
{
    /// <summary>Stops all tasks of a process. It runs again when the lease is disposed of, resumed, or not kept alive.</summary>
    /// <param name="target">The process.</param>
    /// <param name="timeToLive">Time after which the target is resumed unless the lease is extended; null for the agent's default.</param>
    /// <param name="stopBudget">Longest time that stopping may take; null for the agent's default.</param>
    /// <param name="resumeOnDisconnect">Whether the end of this client's connection ends the lease, too.</param>
    /// <param name="cancellation">Gives up; the agent resumes the target.</param>
    public async Task<StopLease> StopAsync(
        ProcessRef target,
        TimeSpan? timeToLive = null,
        TimeSpan? stopBudget = null,
        bool resumeOnDisconnect = true,
        CancellationToken cancellation = default)
    {
        StopRequest request = new()
        {
            Ref = target,
            ResumeOnDisconnect = resumeOnDisconnect,
            Reason = _reason ?? string.Empty,
            TimeToLive = timeToLive is { } live ? Duration.FromTimeSpan(live) : null,
            StopBudget = stopBudget is { } budget ? Duration.FromTimeSpan(budget) : null,
        };
        StopResponse answer = await InvokeAsync(_control.StopAsync(request, cancellationToken: cancellation), cancellation);
        return answer.LeaseId.Length > 0 && answer.Ref is not null
            ? new StopLease(this, answer)
            : throw Incomplete("the lease or its process");
    }

    /// <summary>Extends a lease. <see cref="AgentException"/> with NOT_FOUND where it is over.</summary>
    /// <returns>The time to live as granted, counted from now.</returns>
    public async Task<TimeSpan> KeepAliveAsync(
        string leaseId, TimeSpan? timeToLive = null, CancellationToken cancellation = default)
    {
        KeepAliveRequest request = new()
        {
            LeaseId = leaseId,
            TimeToLive = timeToLive is { } live ? Duration.FromTimeSpan(live) : null,
        };
        KeepAliveResponse answer = await InvokeAsync(_control.KeepAliveAsync(request, cancellationToken: cancellation), cancellation);
        return WireTime.ToTimeSpanOrZero(answer.TimeToLive);
    }

    /// <summary>Ends a lease: the target runs. <see cref="AgentException"/> with NOT_FOUND where it is over already.</summary>
    /// <returns>How long the target was stopped.</returns>
    public async Task<TimeSpan> ResumeAsync(string leaseId, CancellationToken cancellation = default)
    {
        ResumeRequest request = new() { LeaseId = leaseId };
        ResumeResponse answer = await InvokeAsync(_control.ResumeAsync(request, cancellationToken: cancellation), cancellation);
        return WireTime.ToTimeSpanOrZero(answer.StoppedFor);
    }

    /// <summary>Reads the register sets of stopped tasks.</summary>
    /// <param name="leaseId">The lease under which they are stopped.</param>
    /// <param name="tids">Only these tasks; null or empty for all.</param>
    /// <param name="cancellation">Ends the enumeration.</param>
    public async IAsyncEnumerable<StoppedThread> ReadRegistersAsync(
        string leaseId,
        IEnumerable<uint>? tids = null,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation = default)
    {
        GetRegistersRequest request = new() { LeaseId = leaseId };
        request.Tids.AddRange(tids ?? []);
        await foreach (GetRegistersResponse part in StreamAsync(
            _control.GetRegisters(request, cancellationToken: cancellation), cancellation))
        {
            foreach (StoppedThread thread in part.Threads)
            {
                yield return thread;
            }
        }
    }

    /// <summary>
    /// Reads memory of a stopped target. What comes in no chunk and no hole is zero. Chunks are not unpacked: this call
    /// has no compression, so their data are the bytes.
    /// </summary>
    public IAsyncEnumerable<ReadMemoryResponse> ReadMemoryAsync(
        string leaseId, IEnumerable<AddressRange> ranges, CancellationToken cancellation = default)
    {
        ReadMemoryRequest request = new() { LeaseId = leaseId, Reason = _reason ?? string.Empty };
        request.Ranges.AddRange(ranges);
        return StreamAsync(_control.ReadMemory(request, cancellationToken: cancellation), cancellation);
    }
}
