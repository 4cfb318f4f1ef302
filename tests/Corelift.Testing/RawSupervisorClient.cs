using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Testing;

/// <summary>
/// A front end that does as it likes: the bytes of the supervisor's protocol as its source describes them, written down anew.
/// </summary>
public sealed partial class RawSupervisorClient : IDisposable
{
    /// <summary>Length of a request.</summary>
    public const int RequestBytes = 576;

    private const int FileRequestBytes = 4128, PathOffset = 32;
    private readonly Socket _socket;

    private RawSupervisorClient(Socket socket) => _socket = socket;

    /// <summary>Kinds of its messages.</summary>
    public const int Welcome = 1, Busy = 2, WorkerStarted = 3, WorkerRefused = 4, WorkerEnded = 5, FilesOpened = 6, NotYou = 8;

    /// <summary>Connects; what the first message is, or 0 where the connection is closed without one.</summary>
    public static RawSupervisorClient Connect(string path, out int firstKind)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        RawSupervisorClient client = new(socket);
        firstKind = client.Receive(out _) is { Length: >= 4 } first ? BinaryPrimitives.ReadInt32LittleEndian(first) : 0;
        return client;
    }

    /// <summary>A request to start a worker; change what you like in it.</summary>
    /// <param name="number">Number of the worker.</param>
    /// <param name="task">2 stops a target under a lease, 5 is the supervisor's own.</param>
    /// <param name="target">The target.</param>
    /// <param name="start">Its start time.</param>
    public static byte[] Start(int number, int task, int target, ulong start)
    {
        const long Second = 1_000_000_000;
        byte[] request = new byte[RequestBytes];
        Put(request, 0, 1, number, task, target);
        BinaryPrimitives.WriteUInt64LittleEndian(request.AsSpan(16), start);
        Put(request, 24, 1);
        BinaryPrimitives.WriteInt64LittleEndian(request.AsSpan(32), Second);
        BinaryPrimitives.WriteInt64LittleEndian(request.AsSpan(40), 20 * Second);
        return request;
    }

    /// <summary>Any other request.</summary>
    public static byte[] Request(int verb, int number)
    {
        byte[] request = new byte[RequestBytes];
        Put(request, 0, verb, number);
        return request;
    }

    /// <summary>A question for a file; <paramref name="file"/> is its number on the list.</summary>
    public static byte[] File(int file, int pid, int tid, ulong start, int argument = 0, string path = "")
    {
        byte[] request = new byte[FileRequestBytes];
        Put(request, 0, file, pid, tid);
        BinaryPrimitives.WriteUInt64LittleEndian(request.AsSpan(16), start);
        Put(request, 24, argument, path.Length);
        _ = System.Text.Encoding.ASCII.GetBytes(path, request.AsSpan(PathOffset));
        return request;
    }

    /// <summary>Writes numbers of four bytes, one after the other.</summary>
    public static void Put(byte[] message, int offset, params ReadOnlySpan<int> numbers)
    {
        for (int i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(offset + (4 * i)), numbers[i]);
        }
    }

    /// <summary>Sends a message as it is; false where the other end has gone.</summary>
    public bool Send(ReadOnlySpan<byte> message)
    {
        try
        {
            return _socket.Send(message) == message.Length;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The next message, waiting 10 s; empty where the other end has gone.</summary>
    /// <param name="descriptor">The descriptor that came with it, or null.</param>
    public unsafe byte[] Receive(out SafeFileHandle? descriptor)
    {
        descriptor = null;
        if (!_socket.Poll(TimeSpan.FromSeconds(10), SelectMode.SelectRead))
        {
            throw new TestingException("the supervisor says nothing");
        }

        byte[] data = new byte[8192];
        byte* control = stackalloc byte[64];
        fixed (byte* start = data)
        {
            Vector vector = new() { Base = start, Length = (nuint)data.Length };
            Header header = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 64 };
            nint length = ReceiveMessage((int)_socket.Handle, &header, 0x40000000);
            if (length > 0 && header.ControlLength > 16)
            {
                descriptor = new SafeFileHandle(*(int*)(control + 16), ownsHandle: true);
            }

            return length <= 0 ? [] : data[..(int)length];
        }
    }

    /// <summary>Sends a request, and returns kind and refusal of the answer that has its number.</summary>
    public (int Kind, int Refusal, SafeFileHandle? Descriptor) Ask(byte[] request)
    {
        if (!Send(request))
        {
            return (0, 0, null);
        }

        while (true)
        {
            byte[] answer = Receive(out SafeFileHandle? descriptor);
            if (answer.Length < 24)
            {
                return (0, 0, null);
            }

            (int kind, int number) = (BinaryPrimitives.ReadInt32LittleEndian(answer), BinaryPrimitives.ReadInt32LittleEndian(answer.AsSpan(4)));
            if (number == BinaryPrimitives.ReadInt32LittleEndian(request.AsSpan(4)))
            {
                return (kind, BinaryPrimitives.ReadInt32LittleEndian(answer.AsSpan(16)), descriptor);
            }
        }
    }

    /// <summary>A socket to ask for files on.</summary>
    public RawSupervisorClient OpenFiles(int number)
    {
        (int kind, _, SafeFileHandle? descriptor) = Ask(Request(3, number));
        return kind == FilesOpened && descriptor is not null
            ? new RawSupervisorClient(new Socket(new SafeSocketHandle(Release(descriptor), ownsHandle: true)))
            : throw new TestingException($"no socket for files: {kind}");
    }

    /// <summary>Asks for a file: errno and the descriptor; errno -1 where the connection was closed.</summary>
    public (int Errno, SafeFileHandle? Descriptor, byte[] Text) AskFile(byte[] request)
    {
        byte[] answer = Send(request) ? Receive(out SafeFileHandle? descriptor) : Nothing(out descriptor);
        return answer.Length < 8
            ? (-1, null, [])
            : (BinaryPrimitives.ReadInt32LittleEndian(answer), descriptor, answer[8..(8 + BinaryPrimitives.ReadInt32LittleEndian(answer.AsSpan(4)))]);
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private static byte[] Nothing(out SafeFileHandle? descriptor)
    {
        descriptor = null;
        return [];
    }

    private static nint Release(SafeFileHandle descriptor)
    {
        nint raw = descriptor.DangerousGetHandle();
        descriptor.SetHandleAsInvalid();
        return raw;
    }

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static unsafe partial nint ReceiveMessage(int descriptor, Header* message, int flags);

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Vector
    {
        internal void* Base;
        internal nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Header
    {
        internal void* Name;
        internal uint NameLength;
        internal Vector* Vectors;
        internal nuint VectorCount;
        internal void* Control;
        internal nuint ControlLength;
        internal int Flags;
    }
}
