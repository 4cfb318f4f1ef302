using System.Net.Sockets;
using System.Runtime.InteropServices;
using Grpc.Net.Client;

namespace Corelift.Testing;

/// <summary>
/// Connections of other users. A thread takes on their ids by system calls of its own (the C library would change the whole
/// process), connects, and ends: the kernel notes the ids of that moment for the socket's other end.
/// </summary>
public static partial class PeerChannel
{
    private const nint SetResUid = 117, SetResGid = 119, SetGroups = 116; // x86-64

    /// <summary>A channel of a user.</summary>
    /// <param name="path">The socket.</param>
    /// <param name="uid">Effective uid.</param>
    /// <param name="gid">Effective gid.</param>
    /// <param name="groups">Supplementary groups.</param>
    public static GrpcChannel Connect(string path, uint uid, uint gid, params uint[] groups)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectCallback = (_, _) =>
            {
                TaskCompletionSource<Stream> connected = new();
                new Thread(() =>
                {
                    try
                    {
                        connected.SetResult(new NetworkStream(ConnectAs(path, uid, gid, groups), ownsSocket: true));
                    }
                    catch (Exception failure)
                    {
                        connected.SetException(failure);
                    }
                }).Start();
                return new ValueTask<Stream>(connected.Task);
            },
        };
        return GrpcChannel.ForAddress(
            "http://localhost", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = null });
    }

    private static Socket ConnectAs(string path, uint uid, uint gid, uint[] groups)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        UnixDomainSocketEndPoint endPoint = new(path);
        if (SystemCall(SetGroups, groups.Length, groups) != 0 || SystemCall(SetResGid, (nint)gid, (nint)gid, (nint)gid) != 0 || SystemCall(SetResUid, (nint)uid, (nint)uid, (nint)uid) != 0)
        {
            throw new TestingException("a thread cannot change its ids: run the tests as root");
        }

        socket.Connect(endPoint);
        return socket;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint first, nint second, nint third);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint count, [In] uint[] groups);
}
