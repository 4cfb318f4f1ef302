using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Corelift.Agent.Hosting;

/// <summary>
/// Room in the kernel for what a client has not taken yet. With the usual 208 KiB of a Unix socket agent and client take
/// turns, each waking the other up for every piece.
/// </summary>
internal static class SendBuffers
{
    private const int Bytes = 1024 * 1024; // cut by the kernel to net.core.wmem_max

    internal static void UseLargeSendBuffer(this ListenOptions options) =>
        options.Use(next => connection =>
        {
            try
            {
                if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket)
                {
                    socket.SendBufferSize = Bytes;
                }
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                // The client has gone already, or stays with the usual size.
            }

            return next(connection);
        });
}
