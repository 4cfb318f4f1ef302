using Grpc.Core;

namespace Corelift.Agent.Services;

/// <summary>
/// A stream that is written to while there is time. A write that its token cancels resets the stream, and then nobody can be
/// told why it ended: so writes go by the call's token, and the time is looked at between them.
/// </summary>
/// <param name="stream">The stream.</param>
/// <param name="time">Cancelled when the time is over.</param>
/// <param name="call">Cancelled when whoever it is written for goes.</param>
internal sealed class TimedStreamWriter<T>(IServerStreamWriter<T> stream, CancellationToken time, CancellationToken call) : IServerStreamWriter<T>
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
    public Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        time.ThrowIfCancellationRequested();
        return stream.WriteAsync(message, call);
    }
}
