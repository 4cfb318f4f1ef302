using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Corelift.Testing.Http2;

/// <summary>Types of frames (RFC 9113, section 6).</summary>
public enum FrameType : byte
{
    /// <summary>DATA.</summary>
    Data = 0,

    /// <summary>HEADERS.</summary>
    Headers = 1,

    /// <summary>RST_STREAM.</summary>
    Reset = 3,

    /// <summary>SETTINGS.</summary>
    Settings = 4,

    /// <summary>PING.</summary>
    Ping = 6,

    /// <summary>GOAWAY.</summary>
    GoAway = 7,

    /// <summary>WINDOW_UPDATE.</summary>
    WindowUpdate = 8,

    /// <summary>CONTINUATION.</summary>
    Continuation = 9,
}

/// <summary>A frame that was received.</summary>
public sealed record Http2Frame(FrameType Type, byte Flags, int Stream, byte[] Payload);

/// <summary>How a server takes a flood.</summary>
public enum FloodEnd
{
    /// <summary>It took everything.</summary>
    Taken,

    /// <summary>It closed the connection.</summary>
    Closed,

    /// <summary>It takes no more, as nobody reads what it answers.</summary>
    Blocked,
}

/// <summary>HTTP/2 frame by frame, with none of the manners of a client: see RFC 9113, and RFC 7541 for headers.</summary>
public sealed class RawHttp2 : IAsyncDisposable
{
    /// <summary>END_STREAM.</summary>
    public const byte EndStream = 1;

    /// <summary>END_HEADERS.</summary>
    public const byte EndHeaders = 4;

    private const int HeadBytes = 9;
    private const int LongestLength = 0xffffff;

    private readonly Stream _stream;

    private RawHttp2(Stream stream) => _stream = stream;

    /// <summary>What a client begins with.</summary>
    public static ReadOnlyMemory<byte> Preface { get; } = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    /// <summary>Connects to a Unix socket, and says nothing yet.</summary>
    public static async Task<RawHttp2> ConnectUnixAsync(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return new RawHttp2(new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>Connects to a TLS door of this host, and says nothing of HTTP yet.</summary>
    public static async Task<RawHttp2> ConnectTlsAsync(int port, TestCertificate certificate, TestCa ca)
    {
        X509ChainPolicy trust = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPem(ca.Pem);
        TcpClient client = new();
        await client.ConnectAsync("127.0.0.1", port);
        SslStream tls = new(client.GetStream(), leaveInnerStreamOpen: false);
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            CertificateChainPolicy = trust,
            LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate.ToCertificate(),
        });
        return new RawHttp2(tls);
    }

    /// <summary>Headers of a gRPC call, as literals without any index, so that each name and value is as long on the wire as it is.</summary>
    public static byte[] Headers(string path, params IEnumerable<(string Name, string Value)> more)
    {
        using MemoryStream block = new();
        foreach ((string name, string value) in ((string, string)[])[(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers"), .. more])
        {
            block.WriteByte(0);
            Write(block, name);
            Write(block, value);
        }

        return block.ToArray();
    }

    /// <summary>A gRPC message as the payload of DATA.</summary>
    public static byte[] Message(byte[] message)
    {
        byte[] framed = [0, 0, 0, 0, 0, .. message];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), message.Length);
        return framed;
    }

    /// <summary>A number as the payload of RST_STREAM or WINDOW_UPDATE.</summary>
    public static byte[] Number(int number)
    {
        byte[] payload = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, number);
        return payload;
    }

    /// <summary>A frame as bytes.</summary>
    public static byte[] Frame(FrameType type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        byte[] frame = [0, 0, 0, (byte)type, flags, 0, 0, 0, 0, .. payload];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        (frame[0], frame[1], frame[2]) = unchecked(((byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length));
        return frame;
    }

    /// <summary>Sends preface and SETTINGS.</summary>
    /// <param name="initialWindow">How much a server may send on a stream before it is told to go on.</param>
    public Task BeginAsync(int initialWindow = 65535) =>
        SendAsync((byte[])[.. Preface.Span, .. Frame(FrameType.Settings, 0, 0, [0, 4, .. Number(initialWindow)])]);

    /// <summary>Sends bytes.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation = default)
    {
        await _stream.WriteAsync(bytes, cancellation);
        await _stream.FlushAsync(cancellation);
    }

    /// <summary>Sends a frame.</summary>
    public Task SendAsync(FrameType type, byte flags, int stream, ReadOnlySpan<byte> payload) => SendAsync(Frame(type, flags, stream, payload));

    /// <summary>Sends pieces as fast as they are taken, and reads nothing.</summary>
    /// <param name="pieces">What to send.</param>
    /// <param name="patience">A server that has taken nothing for so long takes no more.</param>
    public async Task<FloodEnd> FloodAsync(IEnumerable<byte[]> pieces, TimeSpan patience)
    {
        try
        {
            foreach (byte[][] some in pieces.Chunk(64))
            {
                using CancellationTokenSource time = new(patience);
                await SendAsync(some.SelectMany(piece => piece).ToArray(), time.Token);
            }

            return FloodEnd.Taken;
        }
        catch (OperationCanceledException)
        {
            return FloodEnd.Blocked;
        }
        catch (IOException)
        {
            return FloodEnd.Closed;
        }
    }

    /// <summary>The next frame; null where the server has closed the connection.</summary>
    public async Task<Http2Frame?> ReadAsync(CancellationToken cancellation = default)
    {
        try
        {
            byte[] head = new byte[HeadBytes];
            await _stream.ReadExactlyAsync(head, cancellation);
            byte[] payload = new byte[BinaryPrimitives.ReadInt32BigEndian(head) >> 8 & LongestLength];
            await _stream.ReadExactlyAsync(payload, cancellation);
            return new Http2Frame((FrameType)head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)), payload);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Reads until a frame is the one, or the server has closed the connection.</summary>
    /// <exception cref="TestingException">Neither within the time.</exception>
    public async Task<Http2Frame?> ReadUntilAsync(Func<Http2Frame, bool> isTheOne, TimeSpan bound)
    {
        using CancellationTokenSource time = new(bound);
        try
        {
            Http2Frame? frame;
            do
            {
                frame = await ReadAsync(time.Token);
            }
            while (frame is not null && !isTheOne(frame));

            return frame;
        }
        catch (OperationCanceledException)
        {
            throw new TestingException($"neither the frame nor the end of the connection within {bound.TotalSeconds} s");
        }
    }

    /// <summary>Waits until the server has closed the connection.</summary>
    public async Task AwaitClosedAsync(TimeSpan bound) => await ReadUntilAsync(static _ => false, bound);

    /// <summary>Reads some bytes; 0 at the end.</summary>
    public async Task<int> ReadSomeAsync(Memory<byte> buffer, CancellationToken cancellation) => await _stream.ReadAsync(buffer, cancellation);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private static void Write(MemoryStream block, string text)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        if (bytes.Length < 127)
        {
            block.WriteByte((byte)bytes.Length);
        }
        else
        {
            block.WriteByte(127);
            int rest = bytes.Length - 127;
            for (; rest >= 128; rest >>= 7)
            {
                block.WriteByte((byte)(rest & 127 | 128));
            }

            block.WriteByte((byte)rest);
        }

        block.Write(bytes);
    }
}
