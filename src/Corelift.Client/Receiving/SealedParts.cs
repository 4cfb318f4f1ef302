using Corelift.Client.Wire;
using Grpc.Core;

namespace Corelift.Client.Receiving;

/// <summary>The parts of a sealed snapshot as one stream of bytes, while they come from an agent.</summary>
internal sealed class SealedParts(IAsyncStreamReader<CaptureFrame> frames, SnapshotSpan span) : Stream
{
    private CaptureFrame? _frame;
    private int _taken; // of the frame

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="SnapshotException">The agent sends something else than parts.</exception>
    /// <exception cref="RpcException">The agent gave up, or the transfer broke.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_frame is null || _taken == _frame.PackedBytes)
        {
            _frame?.Dispose();
            _frame = null;
            if (!await frames.MoveNext(cancellationToken))
            {
                return 0;
            }

            span.MessageArrived();
            _frame = frames.Current;
            _taken = 0;
            if (!_frame.IsSealed || _frame.PackedBytes == 0)
            {
                throw SnapshotException.Violation(
                    _frame.Damage ?? (_frame.IsSealed ? "an empty sealed part" : "a message in the clear, though the snapshot was to be sealed"));
            }
        }

        int length = Math.Min(buffer.Length, _frame.PackedBytes - _taken);
        _frame.Packed.Slice(_taken, length).CopyTo(buffer.Span);
        _taken += length;
        return length;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _frame?.Dispose();
        _frame = null;
        base.Dispose(disposing);
    }
}
