using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Corelift.Cli.Cluster;

namespace Corelift.Cli.Tests.Cluster;

/// <summary>A forwarded port as a stream, against the other end of a real WebSocket that cuts its messages as it likes.</summary>
public sealed class PortForwardTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource _patience = new(s_patience);
    private readonly WebSocket _kubelet;
    private readonly PortForwardStream _stream;

    public PortForwardTests()
    {
        Pipe up = new(new PipeOptions(pauseWriterThreshold: 0)), down = new(new PipeOptions(pauseWriterThreshold: 0));
        _kubelet = WebSocket.CreateFromStream(new Duplex(up.Reader.AsStream(), down.Writer.AsStream()), new WebSocketCreationOptions { IsServer = true });
        _stream = new PortForwardStream(
            WebSocket.CreateFromStream(new Duplex(down.Reader.AsStream(), up.Writer.AsStream()), new WebSocketCreationOptions()), "pod shop/web-1");
    }

    public void Dispose()
    {
        _stream.Dispose();
        _kubelet.Dispose();
        _patience.Dispose();
    }

    [Fact]
    public async Task Ports_and_channels_are_taken_off_wherever_messages_are_cut()
    {
        await SendAsync([0, 0x13], endOfMessage: false);
        await SendAsync([0x1d], endOfMessage: true);
        await SendAsync([1, 0x13, 0x1d]);
        await SendAsync([0, .. "hello "u8], endOfMessage: false);
        await SendAsync("wor"u8.ToArray(), endOfMessage: true);
        await SendAsync([0]);
        await SendAsync([0, .. "ld"u8]);
        await _kubelet.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, _patience.Token);

        using StreamReader reader = new(_stream);
        Assert.Equal("hello world", await reader.ReadToEndAsync(_patience.Token));
    }

    [Fact]
    public async Task Large_pieces_go_out_as_messages_of_the_data_channel()
    {
        byte[] sent = RandomNumberGenerator.GetBytes(200_000), received = new byte[sent.Length + 100], piece = new byte[300_000];
        Task writing = _stream.WriteAsync(sent, _patience.Token).AsTask();
        int length = 0;
        while (length < sent.Length)
        {
            int inMessage = 0;
            ValueWebSocketReceiveResult part;
            do
            {
                part = await _kubelet.ReceiveAsync(piece.AsMemory(inMessage), _patience.Token);
                inMessage += part.Count;
            }
            while (!part.EndOfMessage);

            Assert.Equal(0, piece[0]);
            piece.AsSpan(1, inMessage - 1).CopyTo(received.AsSpan(length));
            length += inMessage - 1;
        }

        await writing;
        Assert.Equal(sent, received[..length]);
    }

    [Fact]
    public async Task What_the_kubelet_says_went_wrong_is_an_error_with_its_words()
    {
        await SendAsync([0, 0x13, 0x1d]);
        await SendAsync([1, 0x13, 0x1d]);
        await SendAsync([1, .. "an error occurred forwarding 7443: "u8], endOfMessage: false);
        await SendAsync("connection refused\n"u8.ToArray(), endOfMessage: true);

        IOException failure = await Assert.ThrowsAsync<IOException>(() => _stream.ReadAsync(new byte[10], _patience.Token).AsTask());

        Assert.Equal("the port-forward to pod shop/web-1 failed: an error occurred forwarding 7443: connection refused", failure.Message);
    }

    [Fact]
    public async Task An_error_without_end_is_cut()
    {
        await SendAsync([1, 0x13, 0x1d, .. Encoding.ASCII.GetBytes(new string('x', 5000))], endOfMessage: false);

        IOException failure = await Assert.ThrowsAsync<IOException>(() => _stream.ReadAsync(new byte[10], _patience.Token).AsTask());

        Assert.InRange(failure.Message.Length, 1000, 1100);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(255)]
    public async Task A_channel_that_cannot_be_is_refused(byte channel)
    {
        await SendAsync([channel, 1, 2, 3]);

        IOException failure = await Assert.ThrowsAsync<IOException>(() => _stream.ReadAsync(new byte[10], _patience.Token).AsTask());

        Assert.Contains($"has a channel {channel}", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_is_cut_is_an_error_and_no_end()
    {
        await SendAsync([0, 0x13, 0x1d, .. "hi"u8]);
        Assert.Equal(2, await _stream.ReadAsync(new byte[10], _patience.Token));
        _kubelet.Abort();

        IOException failure = await Assert.ThrowsAsync<IOException>(() => _stream.ReadAsync(new byte[10], _patience.Token).AsTask());

        Assert.StartsWith("the port-forward to pod shop/web-1 broke off: ", failure.Message, StringComparison.Ordinal);
    }

    private Task SendAsync(byte[] message, bool endOfMessage = true) =>
        _kubelet.SendAsync(message.AsMemory(), WebSocketMessageType.Binary, endOfMessage, _patience.Token).AsTask();

    /// <summary>Two streams as one.</summary>
    private sealed class Duplex(Stream input, Stream output) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() => output.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => output.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => input.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => input.ReadAsync(buffer, cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => output.Write(buffer, offset, count);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await output.WriteAsync(buffer, cancellationToken);
            await output.FlushAsync(cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            input.Dispose();
            output.Dispose();
            base.Dispose(disposing);
        }
    }
}
