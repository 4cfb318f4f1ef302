using System.Text;
using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Processes;

/// <summary>A Unix socket of type SOCK_SEQPACKET with a path, for connections between processes of ours (unix(7)).</summary>
public sealed unsafe class MessageListener : IDisposable
{
    private const int SeqPacketCloseOnExec = 5 | 0x80000; // SOCK_SEQPACKET | SOCK_CLOEXEC
    private const int CloseOnExec = 0x80000;              // SOCK_CLOEXEC
    private const int Backlog = 8;

    private readonly SafeFileHandle _handle;

    private MessageListener(SafeFileHandle handle)
    {
        _handle = handle;
        Socket = new MessageSocket(handle);
    }

    /// <summary>To wait on: ready where somebody wants to connect.</summary>
    public MessageSocket Socket { get; }

    /// <summary>Binds a path and listens on it; a socket that nobody serves any more is replaced.</summary>
    /// <param name="path">Absolute path, at most 107 bytes.</param>
    /// <param name="mode">Who can connect as far as files decide.</param>
    /// <exception cref="SyscallException">EADDRINUSE where somebody serves there, or where it is no socket; or any other failure.</exception>
    public static MessageListener Bind(string path, UnixFileMode mode)
    {
        var handle = Open();
        try
        {
            UnixAddress address = ToAddress(path);
            if (FileKind.IsSocket(path) && !IsServed(path))
            {
                File.Delete(path);
            }

            if (LibC.Bind((int)handle.DangerousGetHandle(), &address, (uint)sizeof(UnixAddress)) != 0)
            {
                throw SyscallException.FromLastError("bind", 0);
            }

            File.SetUnixFileMode(path, mode);
            return LibC.Listen((int)handle.DangerousGetHandle(), Backlog) == 0
                ? new MessageListener(handle)
                : throw SyscallException.FromLastError("listen", 0);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Connects to a path.</summary>
    /// <exception cref="SyscallException">Nobody serves there, or it is refused.</exception>
    public static MessageSocket Connect(string path)
    {
        SafeFileHandle handle = Open();
        UnixAddress address = ToAddress(path);
        if (LibC.Connect((int)handle.DangerousGetHandle(), &address, (uint)sizeof(UnixAddress)) == 0)
        {
            return new MessageSocket(handle);
        }

        var failure = SyscallException.FromLastError("connect", 0);
        handle.Dispose();
        throw failure;
    }

    /// <summary>Takes the next connection; null where it has gone already.</summary>
    public MessageSocket? Accept()
    {
        int descriptor = LibC.Accept4((int)_handle.DangerousGetHandle(), null, null, CloseOnExec);
        return descriptor < 0 ? null : new MessageSocket(new SafeFileHandle(descriptor, ownsHandle: true));
    }

    /// <summary>Closes it; the path stays.</summary>
    public void Dispose() => Socket.Dispose();

    private static SafeFileHandle Open()
    {
        int descriptor = LibC.Socket(UnixAddress.Unix, SeqPacketCloseOnExec, 0);
        return descriptor < 0 ? throw SyscallException.FromLastError("socket", 0) : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    private static bool IsServed(string path)
    {
        try
        {
            using MessageSocket probe = Connect(path);
            return true;
        }
        catch (SyscallException failure)
        {
            return failure.Errno != Errno.ConnectionRefused;
        }
    }

    private static UnixAddress ToAddress(string path)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Encoding.UTF8.GetByteCount(path), UnixAddress.MaxPathBytes, nameof(path));
        var address = new UnixAddress { Family = UnixAddress.Unix };
        _ = Encoding.UTF8.GetBytes(path, new Span<byte>(address.Path, UnixAddress.MaxPathBytes));
        return address;
    }
}
