using System.Net.Sockets;
using Grpc.Net.Client;

namespace Corelift.Testing;

/// <summary>gRPC over a Unix socket, without the project's own client in between.</summary>
public static class UnixChannel
{
    /// <summary>A channel with no limit of its own on the size of messages.</summary>
    public static GrpcChannel Connect(string path)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectCallback = async (_, cancellation) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        return GrpcChannel.ForAddress(
            "http://localhost", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = null });
    }
}
