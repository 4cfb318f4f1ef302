using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Processes;

/// <summary>
/// One end of a socketpair(2) of type SOCK_SEQPACKET: whole messages, each with up to <see cref="MaxDescriptors"/>
/// descriptors (unix(7), SCM_RIGHTS). Blocking; one sender and one receiver at a time.
/// </summary>
public sealed unsafe class MessageSocket : IDisposable
{
    /// <summary>Most descriptors that one message may carry.</summary>
    public const int MaxDescriptors = 8;

    private const int Unix = 1;                     // AF_UNIX
    private const int SeqPacketCloseOnExec = 5 | 0x80000; // SOCK_SEQPACKET | SOCK_CLOEXEC
    private const int SolSocket = 1;                // SOL_SOCKET
    private const int Rights = 1;                   // SCM_RIGHTS
    private const int NoSignal = 0x4000;            // MSG_NOSIGNAL
    private const int CloseOnExec = 0x40000000;     // MSG_CMSG_CLOEXEC
    private const short ReadableOrGone = 0x1 | 0x10 | 0x8; // POLLIN | POLLHUP | POLLERR

    private readonly SafeFileHandle _handle;

    /// <summary>Takes over a descriptor of such a socket.</summary>
    public MessageSocket(SafeFileHandle handle) => _handle = handle;

    /// <summary>The descriptor.</summary>
    public SafeFileHandle Handle => _handle;

    /// <summary>Two connected ends.</summary>
    /// <exception cref="SyscallException">No descriptor left.</exception>
    public static (MessageSocket Ours, MessageSocket Theirs) CreatePair()
    {
        int* pair = stackalloc int[2];
        if (LibC.Socketpair(Unix, SeqPacketCloseOnExec, 0, pair) < 0)
        {
            throw SyscallException.FromLastError("socketpair", 0);
        }

        return (new MessageSocket(new SafeFileHandle(pair[0], true)), new MessageSocket(new SafeFileHandle(pair[1], true)));
    }

    /// <summary>Sends one message.</summary>
    /// <returns>False where the other end has gone.</returns>
    /// <exception cref="SyscallException">Any other failure.</exception>
    public bool TrySend(ReadOnlySpan<byte> message, params ReadOnlySpan<SafeFileHandle> descriptors)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MaxDescriptors);
        byte* control = stackalloc byte[sizeof(CmsgHdr) + (MaxDescriptors * sizeof(int))];
        fixed (byte* data = message)
        {
            var vector = new IoVec { Base = data, Length = (nuint)message.Length };
            var header = new MsgHdr { Vectors = &vector, VectorCount = 1 };
            if (!descriptors.IsEmpty)
            {
                int length = sizeof(CmsgHdr) + (descriptors.Length * sizeof(int));
                *(CmsgHdr*)control = new CmsgHdr { Length = (nuint)length, Level = SolSocket, Type = Rights };
                for (int i = 0; i < descriptors.Length; i++)
                {
                    ((int*)(control + sizeof(CmsgHdr)))[i] = (int)descriptors[i].DangerousGetHandle();
                }

                header.Control = control;
                header.ControlLength = (nuint)((length + 7) & ~7);
            }

            if (LibC.Sendmsg((int)_handle.DangerousGetHandle(), &header, NoSignal) >= 0)
            {
                return true;
            }
        }

        var failure = SyscallException.FromLastError("sendmsg", 0);
        return failure.Errno is Errno.BrokenPipe or Errno.ConnectionReset ? false : throw failure;
    }

    /// <summary>Receives one message, waiting for it.</summary>
    /// <param name="buffer">Receives it; a longer message is cut.</param>
    /// <param name="descriptors">Receives the descriptors that came with it; the caller owns them.</param>
    /// <returns>Its length in bytes; 0 where the other end has gone.</returns>
    /// <exception cref="SyscallException">Any other failure.</exception>
    public int Receive(Span<byte> buffer, List<SafeFileHandle> descriptors)
    {
        byte* control = stackalloc byte[sizeof(CmsgHdr) + (MaxDescriptors * sizeof(int))];
        nint received;
        fixed (byte* data = buffer)
        {
            do
            {
                var vector = new IoVec { Base = data, Length = (nuint)buffer.Length };
                var header = new MsgHdr
                {
                    Vectors = &vector,
                    VectorCount = 1,
                    Control = control,
                    ControlLength = (nuint)(sizeof(CmsgHdr) + (MaxDescriptors * sizeof(int))),
                };
                received = LibC.Recvmsg((int)_handle.DangerousGetHandle(), &header, CloseOnExec);
                if (received > 0)
                {
                    TakeDescriptors(header, descriptors);
                }
            }
            while (received < 0 && Marshal.GetLastPInvokeError() == (int)Errno.Interrupted);
        }

        if (received >= 0)
        {
            return (int)received;
        }

        var failure = SyscallException.FromLastError("recvmsg", 0);
        return failure.Errno == Errno.ConnectionReset ? 0 : throw failure;
    }

    /// <summary>Waits until a message is there or the other end has gone.</summary>
    /// <param name="timeoutMilliseconds">Longest wait; -1 waits for ever.</param>
    /// <returns>Whether there is something to receive (the end of the stream counts).</returns>
    public bool WaitReadable(int timeoutMilliseconds)
    {
        var poll = new PollFd { Descriptor = (int)_handle.DangerousGetHandle(), Events = 1 };
        return LibC.Poll(&poll, 1, timeoutMilliseconds) > 0 && (poll.Returned & ReadableOrGone) != 0;
    }

    /// <summary>Whether the other end has gone.</summary>
    public bool IsPeerGone
    {
        get
        {
            var poll = new PollFd { Descriptor = (int)_handle.DangerousGetHandle(), Events = 0 };
            return LibC.Poll(&poll, 1, 0) > 0;
        }
    }

    /// <summary>Ends both directions, so that a receiver on another thread returns; the descriptor stays until Dispose.</summary>
    public void Shutdown() => _ = LibC.Shutdown((int)_handle.DangerousGetHandle(), 2);

    /// <summary>Closes this end.</summary>
    public void Dispose() => _handle.Dispose();

    private static void TakeDescriptors(in MsgHdr header, List<SafeFileHandle> descriptors)
    {
        if (header.ControlLength < (nuint)sizeof(CmsgHdr))
        {
            return;
        }

        var control = (CmsgHdr*)header.Control;
        if (control->Level != SolSocket || control->Type != Rights)
        {
            return;
        }

        int count = ((int)control->Length - sizeof(CmsgHdr)) / sizeof(int);
        for (int i = 0; i < count; i++)
        {
            descriptors.Add(new SafeFileHandle(((int*)(control + 1))[i], ownsHandle: true));
        }
    }
}
