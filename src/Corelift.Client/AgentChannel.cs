using System.Net;
using System.Net.Sockets;
using Grpc.Net.Client;

namespace Corelift.Client;

/// <summary>Makes the gRPC channel to an agent, over a Unix socket or TCP.</summary>
internal static class AgentChannel
{
    /// <summary>Key in <see cref="Exception.Data"/> of a failure to connect, as against one of a connection that was there.</summary>
    internal const string ConnectMarker = "corelift.connect";

    private const int StreamWindowBytes = 16 * 1024 * 1024; // the most that SocketsHttpHandler takes
    private const int LargestMessageBytes = 4 * 1024 * 1024;

    internal static GrpcChannel Create(AgentAddress address, CoreliftClientOptions options)
    {
        SocketsHttpHandler handler = new()
        {
            InitialHttp2StreamWindowSize = StreamWindowBytes,
            KeepAlivePingDelay = TimeSpan.FromSeconds(10),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan, // leases may hang on the connection
            ConnectTimeout = options.ConnectTimeout,
            UseProxy = false,
            AllowAutoRedirect = false,
        };
        Func<DnsEndPoint, CancellationToken, ValueTask<Stream>> open = (options.Open, address.SocketPath) switch
        {
            ({ } hook, _) => (_, cancellation) => OpenAsync(hook, cancellation),
            (_, { } path) => (_, cancellation) => ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation),
            _ => ConnectAsync,
        };
        handler.ConnectCallback = address.Uri.Scheme == Uri.UriSchemeHttps
            ? async (context, cancellation) => await AgentTls.SecureAsync(
                await open(context.DnsEndPoint, cancellation), context.DnsEndPoint.Host, options, cancellation)
            : (context, cancellation) => open(context.DnsEndPoint, cancellation);
        options.ConfigureHandler?.Invoke(handler);
        return GrpcChannel.ForAddress(address.Uri, new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = LargestMessageBytes,
            // Not ThrowOperationCanceledOnCancellation: it also hides what an agent says with DEADLINE_EXCEEDED.
        });
    }

    /// <summary>Whatever the caller's own way fails with is a failure to connect.</summary>
    private static async ValueTask<Stream> OpenAsync(Func<CancellationToken, ValueTask<Stream>> hook, CancellationToken cancellation)
    {
        try
        {
            return await hook(cancellation);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            IOException wrapped = new(failure.Message, failure);
            wrapped.Data[ConnectMarker] = true;
            throw wrapped;
        }
    }

    private static async ValueTask<Stream> ConnectAsync(EndPoint agent, CancellationToken cancellation)
    {
        Socket? socket = null;
        try
        {
            socket = agent is UnixDomainSocketEndPoint
                ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
                : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(agent, cancellation);
            NetworkStream stream = new(socket, ownsSocket: true);
            socket = null; // the stream's now
            return stream;
        }
        catch (SocketException failure)
        {
            failure.Data[ConnectMarker] = true;
            throw;
        }
        finally
        {
            socket?.Dispose();
        }
    }
}
