using System.Net.WebSockets;
using System.Text;

namespace Corelift.Cli.Cluster;

/// <summary>
/// One forwarded port as a stream. Over the WebSocket (v4.channel.k8s.io) each message begins with the number of its channel: 0
/// is data, 1 is what went wrong. The first two bytes that come on each channel are the port's number.
/// </summary>
/// <param name="socket">The open WebSocket; disposed with the stream.</param>
/// <param name="name">Where it leads, for messages.</param>
internal sealed class PortForwardStream(WebSocket socket, string name) : Stream
{
    private const byte Data = 0, Trouble = 1;
    private const int MostAtOnce = 32 * 1024;
    private const int LongestTrouble = 1000;

    private readonly byte[] _received = new byte[64 * 1024];
    private readonly byte[] _sending = new byte[1 + MostAtOnce];
    private readonly int[] _portBytesLeft = [2, 2];
    private readonly StringBuilder _trouble = new();
    private bool _begins = true; // whether what comes next is the beginning of a message
    private byte _channel;
    private int _start;
    private int _end;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">The connection broke off, or the kubelet says why it cannot forward.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        while (_start == _end)
        {
            if (!await ReceiveAsync(cancellationToken))
            {
                return 0;
            }
        }

        int length = Math.Min(buffer.Length, _end - _start);
        _received.AsMemory(_start, length).CopyTo(buffer);
        _start += length;
        return length;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    /// <exception cref="IOException">The connection broke off.</exception>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            int length = Math.Min(buffer.Length, MostAtOnce);
            buffer[..length].CopyTo(_sending.AsMemory(1)); // its first byte stays 0, the channel of data
            buffer = buffer[length..];
            try
            {
                await socket.SendAsync(_sending.AsMemory(0, 1 + length), WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
            }
            catch (WebSocketException failure)
            {
                throw Broken(failure);
            }
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("only asynchronously");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("only asynchronously");

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            socket.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Takes in one piece of a message, of which there may be nothing to read; false at the end.</summary>
    private async ValueTask<bool> ReceiveAsync(CancellationToken cancellationToken)
    {
        ValueWebSocketReceiveResult piece;
        try
        {
            piece = await socket.ReceiveAsync(_received.AsMemory(), cancellationToken);
        }
        catch (WebSocketException failure)
        {
            throw Broken(failure);
        }

        if (piece.MessageType == WebSocketMessageType.Close)
        {
            return false;
        }

        int start = 0;
        if (_begins && piece.Count > 0)
        {
            _channel = _received[start++];
        }

        bool isWhole = piece.EndOfMessage;
        _begins = isWhole || (_begins && piece.Count == 0);
        if (_channel > Trouble)
        {
            throw new IOException($"the port-forward to {name} has a channel {_channel}, which it should not");
        }

        int ofPort = Math.Min(_portBytesLeft[_channel], piece.Count - start);
        _portBytesLeft[_channel] -= ofPort;
        start += ofPort;
        if (_channel == Data)
        {
            (_start, _end) = (start, piece.Count);
        }
        else if (piece.Count > start)
        {
            Note(_received.AsSpan(start, piece.Count - start), isWhole);
        }

        return true;
    }

    private void Note(ReadOnlySpan<byte> text, bool isWhole)
    {
        _ = _trouble.Append(Encoding.UTF8.GetString(text));
        if (isWhole || _trouble.Length >= LongestTrouble)
        {
            _trouble.Length = Math.Min(_trouble.Length, LongestTrouble);
            throw new IOException($"the port-forward to {name} failed: {_trouble.ToString().Trim()}");
        }
    }

    private IOException Broken(WebSocketException failure) =>
        new($"the port-forward to {name} broke off: {failure.GetBaseException().Message}", failure);
}
