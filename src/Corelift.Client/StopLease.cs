using Corelift.V1;

namespace Corelift.Client;

/// <summary>A stopped process. Disposing resumes it, and so does silence: the agent does not wait for clients.</summary>
public sealed class StopLease : IAsyncDisposable
{
    private static readonly TimeSpan s_resumePatience = TimeSpan.FromSeconds(5);

    private readonly CoreliftClient _client;
    private bool _over;

    internal StopLease(CoreliftClient client, StopResponse answer)
    {
        _client = client;
        Id = answer.LeaseId;
        Target = answer.Ref;
        TimeToLive = WireTime.ToTimeSpanOrZero(answer.TimeToLive);
        MaxHold = WireTime.ToTimeSpanOrZero(answer.MaxHold);
        ThreadCount = answer.ThreadCount;
        Skew = WireTime.ToTimeSpanOrZero(answer.Skew);
        WasGroupStopped = answer.WasGroupStopped;
    }

    /// <summary>Names the lease in calls of any client of the agent.</summary>
    public string Id { get; }

    /// <summary>The process.</summary>
    public ProcessRef Target { get; }

    /// <summary>Time to live as granted; counted from the answer to the stop or the last <see cref="KeepAliveAsync"/>.</summary>
    public TimeSpan TimeToLive { get; private set; }

    /// <summary>Most time that the lease can last in all.</summary>
    public TimeSpan MaxHold { get; }

    /// <summary>Number of stopped tasks.</summary>
    public uint ThreadCount { get; }

    /// <summary>Time between the first and the last task's stop.</summary>
    public TimeSpan Skew { get; }

    /// <summary>Whether job control had stopped the process before; it stays so after the resume.</summary>
    public bool WasGroupStopped { get; }

    /// <summary>Extends the lease by its time to live, counted from now.</summary>
    public async Task KeepAliveAsync(CancellationToken cancellation = default) =>
        TimeToLive = await _client.KeepAliveAsync(Id, null, cancellation);

    /// <summary>
    /// Keeps the lease alive, asking at a third of its time to live. Returns when <paramref name="cancellation"/> is
    /// cancelled, with the target still stopped; throws <see cref="AgentException"/> when the lease is over.
    /// </summary>
    public async Task HoldAsync(CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                TimeSpan wait = TimeToLive / 3;
                await Task.Delay(wait > TimeSpan.FromMilliseconds(5) ? wait : TimeSpan.FromMilliseconds(5), cancellation);
                await KeepAliveAsync(cancellation);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
        }
    }

    /// <summary>Resumes the target. <see cref="AgentException"/> with NOT_FOUND where it runs already.</summary>
    /// <returns>How long it was stopped.</returns>
    public async Task<TimeSpan> ResumeAsync(CancellationToken cancellation = default)
    {
        TimeSpan stoppedFor = await _client.ResumeAsync(Id, cancellation);
        _over = true;
        return stoppedFor;
    }

    /// <summary>The register sets of the stopped tasks.</summary>
    public IAsyncEnumerable<StoppedThread> ReadRegistersAsync(
        IEnumerable<uint>? tids = null, CancellationToken cancellation = default) =>
        _client.ReadRegistersAsync(Id, tids, cancellation);

    /// <summary>Memory of the stopped target; see <see cref="CoreliftClient.ReadMemoryAsync"/>.</summary>
    public IAsyncEnumerable<ReadMemoryResponse> ReadMemoryAsync(
        IEnumerable<AddressRange> ranges, CancellationToken cancellation = default) =>
        _client.ReadMemoryAsync(Id, ranges, cancellation);

    /// <summary>Leaves the target stopped when this object is disposed of: until its time to live ends, or somebody resumes it.</summary>
    public void Abandon() => _over = true;

    /// <summary>Resumes the target unless that was done. Does not throw: an agent that cannot be asked resumes by itself.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_over)
        {
            return;
        }

        _over = true;
        using CancellationTokenSource patience = new(s_resumePatience);
        try
        {
            await _client.ResumeAsync(Id, patience.Token);
        }
        catch (Exception failure) when (failure is AgentException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }
}
