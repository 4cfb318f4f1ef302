namespace Corelift.Agent.Services;

/// <summary>Closed when the agent begins to stop: calls under way are cancelled by it, new ones refused.</summary>
internal sealed class ShutdownGate : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Cancelled when the agent stops. Calls that last link it with their own token.</summary>
    internal CancellationToken Token => _stopping.Token;

    /// <summary>Whether the agent is stopping.</summary>
    internal bool IsClosed => _stopping.IsCancellationRequested;

    /// <summary>Closes it for good.</summary>
    internal Task CloseAsync() => _stopping.CancelAsync();

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();
}
