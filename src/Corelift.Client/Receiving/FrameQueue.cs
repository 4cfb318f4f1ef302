using System.Threading.Channels;
using Corelift.Client.Wire;

namespace Corelift.Client.Receiving;

/// <summary>
/// A few frames between the thread that receives and the one that checks and writes them: neither waits for the other's
/// system calls. Order stays; the first failure of the receiver is the outcome, and later frames are dropped.
/// </summary>
internal sealed class FrameQueue : IDisposable
{
    private const int MostWaiting = 6; // of up to 1 MiB each

    private readonly Channel<CaptureFrame> _frames =
        Channel.CreateBounded<CaptureFrame>(new BoundedChannelOptions(MostWaiting) { SingleReader = true, SingleWriter = true });

    private readonly CancellationTokenSource _failed = new();
    private readonly IFrameReceiver _receiver;
    private readonly Task _consuming;

    internal FrameQueue(IFrameReceiver receiver)
    {
        _receiver = receiver;
        _consuming = Task.Run(ConsumeAsync);
    }

    /// <summary>
    /// Cancelled when the receiver has failed. An agent that waits for its ring to be emptied sends no frame by which that would
    /// be noticed.
    /// </summary>
    internal CancellationToken Failed => _failed.Token;

    /// <summary>Hands a frame over; the queue disposes of it. Waits while the queue is full.</summary>
    /// <returns>False where the receiver has failed: <see cref="DrainAsync"/> says how.</returns>
    internal async ValueTask<bool> TryAddAsync(CaptureFrame frame)
    {
        try
        {
            await _frames.Writer.WriteAsync(frame);
            return true;
        }
        catch (ChannelClosedException)
        {
            frame.Dispose();
            return false;
        }
    }

    /// <summary>Ends the queue and waits until the receiver has had everything. May be called again.</summary>
    /// <exception cref="Exception">What the receiver threw.</exception>
    internal Task DrainAsync()
    {
        _frames.Writer.TryComplete();
        return _consuming;
    }

    /// <summary>After <see cref="DrainAsync"/>.</summary>
    public void Dispose() => _failed.Dispose();

    private async Task ConsumeAsync()
    {
        try
        {
            await foreach (CaptureFrame frame in _frames.Reader.ReadAllAsync())
            {
                using (frame)
                {
                    _receiver.Add(frame);
                }
            }
        }
        catch
        {
            await _failed.CancelAsync();
            throw;
        }
        finally
        {
            _frames.Writer.TryComplete();
            while (_frames.Reader.TryRead(out CaptureFrame? left))
            {
                left.Dispose();
            }
        }
    }
}
