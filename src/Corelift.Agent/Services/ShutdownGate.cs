namespace Corelift.Agent.Services;

/// <summary>Closed when the agent begins to stop: new calls are refused from then on, and those under way are cancelled a grace later.</summary>
internal sealed class ShutdownGate : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private volatile bool _isClosed;

    /// <summary>Cancelled when the grace is over. Calls that last link it with their own token.</summary>
    internal CancellationToken Token => _stopping.Token;

    /// <summary>Whether the agent is stopping.</summary>
    internal bool IsClosed => _isClosed;

    /// <summary>Refuses new calls; those under way go on.</summary>
    internal void Close() => _isClosed = true;

    /// <summary>Ends the grace, for good.</summary>
    internal Task CancelAsync()
    {
        _isClosed = true;
        return _stopping.CancelAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();
}
