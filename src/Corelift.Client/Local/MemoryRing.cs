#pragma warning disable CA2000 // Socket and descriptor are owned by the ring, or disposed of where there is none.
using System.Buffers.Binary;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Client.Local;

/// <summary>
/// Memory that an agent on this host shares with us for one capture: slots that it fills and we empty, in turn, in place of
/// sending the bytes through the socket. Mapped read-only; its length cannot change, or we do without.
/// </summary>
internal sealed unsafe class MemoryRing : IDisposable
{
    /// <summary>Metadata entry of Capture that names a ring.</summary>
    internal const string Header = "corelift-memory-ring";

    private const int TokenBytes = 16;
    private const int LargestRing = 256 * 1024 * 1024;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly Socket _socket;
    private readonly SafeFileHandle _file;
    private readonly int _lengthBytes;
    private nint _start;

    private MemoryRing(Socket socket, SafeFileHandle file, string token, int lengthBytes, nint start)
    {
        _socket = socket;
        _file = file;
        _lengthBytes = lengthBytes;
        _start = start;
        Token = token;
    }

    /// <summary>What the capture names it by.</summary>
    internal string Token { get; }

    private static ReadOnlySpan<byte> Preface => "corelift memory ring 1\n\n"u8;

    /// <summary>Asks the agent behind a Unix socket for a ring.</summary>
    /// <returns>The ring; null where there is none to be had, for whatever reason: the capture goes through the socket then.</returns>
    internal static MemoryRing? TryOpen(string socketPath)
    {
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess)
        {
            return null;
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(socketPath));
            socket.Send(Preface);
            if (socket.Poll(s_patience, SelectMode.SelectRead) && TryReceive(socket) is { } ring)
            {
                return ring;
            }
        }
        catch (SocketException)
        {
            // An agent of before, or none: the capture itself will say what is wrong.
        }

        socket.Dispose();
        return null;
    }

    /// <summary>Bytes of a slot.</summary>
    /// <exception cref="SnapshotException">They do not lie in the ring.</exception>
    internal ReadOnlySpan<byte> Slice(uint offset, uint lengthBytes)
    {
        ObjectDisposedException.ThrowIf(_start == 0, this);
        return offset <= _lengthBytes && lengthBytes <= _lengthBytes - offset
            ? new ReadOnlySpan<byte>((byte*)_start + offset, (int)lengthBytes)
            : throw SnapshotException.Violation($"a chunk of {lengthBytes} bytes at {offset} of a ring of {_lengthBytes} bytes");
    }

    /// <summary>Gives the oldest slot back.</summary>
    internal void Free()
    {
        try
        {
            _ = _socket.Send([1]);
        }
        catch (SocketException)
        {
            // The agent has gone: the stream says so.
        }
    }

    public void Dispose()
    {
        if (_start != 0)
        {
            _ = LocalCalls.Munmap(_start, (nuint)_lengthBytes);
            _start = 0;
            _file.Dispose();
            _socket.Dispose();
        }
    }

    /// <summary>What the agent answers; null for anything else than a ring.</summary>
    internal static MemoryRing? TryReceive(Socket socket)
    {
        Span<byte> message = stackalloc byte[TokenBytes + 8];
        SafeFileHandle? file = Receive(socket, message);
        if (file is null)
        {
            return null;
        }

        long length = (long)BinaryPrimitives.ReadInt32LittleEndian(message[TokenBytes..]) * BinaryPrimitives.ReadInt32LittleEndian(message[(TokenBytes + 4)..]);
        int seals = LocalCalls.Fcntl((int)file.DangerousGetHandle(), LocalCalls.GetSeals, 0);
        if (length is > 0 and <= LargestRing && seals >= 0 && (seals & LocalCalls.SealShrink) != 0 && RandomAccess.GetLength(file) >= length)
        {
            nint start = LocalCalls.Mmap(0, (nuint)length, LocalCalls.ReadOnly, LocalCalls.Shared, (int)file.DangerousGetHandle(), 0);
            if (start != -1)
            {
                return new MemoryRing(socket, file, Convert.ToHexStringLower(message[..TokenBytes]), (int)length, start);
            }
        }

        file.Dispose();
        return null;
    }

    /// <summary>A whole message and its one descriptor, or null.</summary>
    private static SafeFileHandle? Receive(Socket socket, Span<byte> message)
    {
        LocalCalls.OneDescriptor control = default;
        nint received;
        fixed (byte* bytes = message)
        {
            LocalCalls.Vector vector = new() { Base = bytes, Length = (nuint)message.Length };
            LocalCalls.MessageHeader header = new()
            {
                Vectors = &vector,
                VectorCount = 1,
                Control = &control,
                ControlLength = (nuint)sizeof(LocalCalls.OneDescriptor),
            };
            received = LocalCalls.Recvmsg((int)socket.Handle, &header, LocalCalls.CloseOnExec);
        }

        SafeFileHandle? file = control is { Level: LocalCalls.SolSocket, Type: LocalCalls.Rights, Descriptor: >= 0 } && control.Length >= 20
            ? new SafeFileHandle(control.Descriptor, ownsHandle: true)
            : null;
        if (received == message.Length)
        {
            return file;
        }

        file?.Dispose();
        return null;
    }
}
