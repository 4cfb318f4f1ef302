using Corelift.Agent.Access;
using Grpc.Core;

namespace Corelift.Agent.Services;

/// <summary>
/// Writes what is read of a target. Before each message it is decided again whether the caller may have it, where the policy is
/// another one by then: a right that is taken away ends what is under way.
/// </summary>
internal sealed class DecidedStreamWriter<T>(IServerStreamWriter<T> stream, Operation operation) : IServerStreamWriter<T>
{
    /// <inheritdoc/>
    public WriteOptions? WriteOptions
    {
        get => stream.WriteOptions;
        set => stream.WriteOptions = value;
    }

    /// <inheritdoc/>
    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    /// <inheritdoc/>
    /// <exception cref="RpcException">Denied by now.</exception>
    public Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        ValueTask decision = operation.DecideAgainAsync(cancellationToken);
        return decision.IsCompletedSuccessfully ? stream.WriteAsync(message, cancellationToken) : WriteWhenDecidedAsync(decision, message, cancellationToken);
    }

    private async Task WriteWhenDecidedAsync(ValueTask decision, T message, CancellationToken cancellationToken)
    {
        await decision;
        await stream.WriteAsync(message, cancellationToken);
    }
}
