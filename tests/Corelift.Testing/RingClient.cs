using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Testing;

/// <summary>The client's side of an agent's ring of memory, by the words of the contract alone (snapshot.proto, Capture).</summary>
public sealed partial class RingClient : IDisposable
{
    private readonly Socket _socket;
    private readonly SafeFileHandle _file;

    private RingClient(Socket socket, SafeFileHandle file, string token)
    {
        _socket = socket;
        _file = file;
        Token = token;
    }

    /// <summary>What a capture names the ring by.</summary>
    public string Token { get; }

    /// <summary>The ring's descriptor.</summary>
    public SafeFileHandle File => _file;

    /// <summary>Asks for a ring; null where the agent closes the connection without giving one.</summary>
    public static RingClient? TryOpen(string socketPath, string preface = "corelift memory ring 1\n\n")
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(socketPath));
        socket.Send(System.Text.Encoding.ASCII.GetBytes(preface));
        byte[] message = new byte[24];
        int descriptor = ReceiveWithDescriptor((int)socket.Handle, message);
        if (descriptor < 0)
        {
            socket.Dispose();
            return null;
        }

        return new RingClient(socket, new SafeFileHandle(descriptor, ownsHandle: true), Convert.ToHexStringLower(message.AsSpan(0, 16)));
    }

    /// <summary>Reads bytes of the ring.</summary>
    public byte[] Read(uint offset, uint lengthBytes)
    {
        byte[] bytes = new byte[lengthBytes];
        int read = RandomAccess.Read(_file, bytes, offset);
        return read == bytes.Length ? bytes : throw new TestingException($"{read} bytes of {lengthBytes} in the ring at {offset}");
    }

    /// <summary>Gives slots back.</summary>
    public void Free(int count) => _socket.Send(new byte[count]);

    /// <summary>Whether a length other than the agent's can be given to the ring, or bytes of ours.</summary>
    public bool CanChange()
    {
        try
        {
            RandomAccess.SetLength(_file, 0);
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
        }

        try
        {
            RandomAccess.Write(_file, [1, 2, 3], 0);
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _file.Dispose();
    }

    private static unsafe int ReceiveWithDescriptor(int socket, byte[] message)
    {
        nint* control = stackalloc nint[3]; // struct cmsghdr and one int
        control[2] = -1;
        fixed (byte* bytes = message)
        {
            nint* vector = stackalloc nint[2]; // struct iovec
            (vector[0], vector[1]) = ((nint)bytes, message.Length);
            nint* header = stackalloc nint[7]; // struct msghdr
            (header[0], header[1], header[2], header[3], header[4], header[5], header[6]) = (0, 0, (nint)vector, 1, (nint)control, 24, 0);
            return ReceiveMessage(socket, header, 0) == message.Length ? unchecked((int)control[2]) : -1;
        }
    }

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static unsafe partial nint ReceiveMessage(int socket, nint* message, int flags);
}
