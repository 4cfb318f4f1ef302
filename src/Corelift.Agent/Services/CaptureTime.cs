using System.Globalization;
using Corelift.Capture;
using Grpc.Core;

namespace Corelift.Agent.Services;

/// <summary>Longest time for a capture in all. Its target is long running again by then: an image, or a spool, is held for the client.</summary>
internal sealed class CaptureTime : IDisposable
{
    private readonly TimeSpan _most;
    private readonly CancellationToken _call;
    private readonly CancellationTokenSource _either;

    internal CaptureTime(TimeSpan most, CancellationToken call)
    {
        (_most, _call) = (most, call);
        _either = CancellationTokenSource.CreateLinkedTokenSource(call);
        _either.CancelAfter(most);
    }

    /// <summary>Does the work, and gives it up when the time is over.</summary>
    /// <exception cref="CaptureException">It was (CaptureTooLong).</exception>
    internal async Task KeepAsync(Func<CancellationToken, Task> work)
    {
        try
        {
            await work(_either.Token);
        }
        catch (OperationCanceledException) when (_either.IsCancellationRequested && !_call.IsCancellationRequested)
        {
            throw new CaptureException(CaptureFailure.CaptureTooLong, string.Create(
                CultureInfo.InvariantCulture,
                $"the capture was given up after {_most.TotalSeconds:0.#} s, the most that one may take, and the process runs: read faster, capture less, or start the agent with a larger --max-capture-time"));
        }
    }

    /// <summary>A stream that is written to while there is time.</summary>
    internal IServerStreamWriter<T> Bind<T>(IServerStreamWriter<T> stream) => new TimedStreamWriter<T>(stream, _either.Token, _call);

    public void Dispose() => _either.Dispose();
}
