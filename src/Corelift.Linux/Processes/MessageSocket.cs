using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Processes;

/// <summary>
/// One end of a connection of type SOCK_SEQPACKET, of a socketpair(2) or of <see cref="MessageListener"/>: whole messages, each with up to <see cref="MaxDescriptors"/>
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
    private const int DontWait = 0x40;              // MSG_DONTWAIT
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
    public bool TrySend(ReadOnlySpan<byte> message, params ReadOnlySpan<SafeFileHandle> descriptors) => Send(message, descriptors, 0);

    /// <summary>Sends one message, or none where the other end does not take what it was sent before.</summary>
    /// <returns>False where the other end has gone, or does not read.</returns>
    /// <exception cref="SyscallException">Any other failure.</exception>
    public bool TrySendNow(ReadOnlySpan<byte> message, params ReadOnlySpan<SafeFileHandle> descriptors) => Send(message, descriptors, DontWait);

    private bool Send(ReadOnlySpan<byte> message, ReadOnlySpan<SafeFileHandle> descriptors, int flags)
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

            nint sent;
            do
            {
                sent = LibC.Sendmsg((int)_handle.DangerousGetHandle(), &header, NoSignal | flags);
            }
            while (sent < 0 && Marshal.GetLastPInvokeError() == (int)Errno.Interrupted);

            if (sent >= 0)
            {
                return true;
            }
        }

        var failure = SyscallException.FromLastError("sendmsg", 0);
        return failure.Errno is Errno.BrokenPipe or Errno.ConnectionReset or Errno.TryAgain ? false : throw failure;
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

    /// <summary>Waits until one of several has a message or has lost its other end.</summary>
    /// <param name="sockets">At most 4096.</param>
    /// <param name="isReady">Receives for each whether it is ready.</param>
    /// <param name="timeoutMilliseconds">Longest wait; -1 waits for ever.</param>
    public static void WaitAny(ReadOnlySpan<MessageSocket> sockets, Span<bool> isReady, int timeoutMilliseconds)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sockets.Length, 4096);
        PollFd* polls = stackalloc PollFd[sockets.Length];
        for (int i = 0; i < sockets.Length; i++)
        {
            polls[i] = new PollFd { Descriptor = (int)sockets[i]._handle.DangerousGetHandle(), Events = 1 };
        }

        int count = LibC.Poll(polls, (nuint)sockets.Length, timeoutMilliseconds);
        for (int i = 0; i < sockets.Length; i++)
        {
            isReady[i] = count > 0 && (polls[i].Returned & ReadableOrGone) != 0;
        }
    }

    /// <summary>The process at the other end as it was when the connection was made (SO_PEERCRED); pid 0 outside our pid namespace.</summary>
    /// <exception cref="SyscallException">The kernel does not say.</exception>
    public (int Pid, uint Uid) Peer
    {
        get
        {
            PeerCredential peer;
            uint length = (uint)sizeof(PeerCredential);
            return LibC.Getsockopt((int)_handle.DangerousGetHandle(), SolSocket, PeerCredential.Option, &peer, &length) == 0
                ? (peer.Pid, peer.Uid)
                : throw SyscallException.FromLastError("getsockopt(SO_PEERCRED)", 0);
        }
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

    /// <summary>
    /// Ends both directions, so that a receiver on another thread returns; the descriptor stays until Dispose. Nothing happens
    /// after that.
    /// </summary>
    public void Shutdown()
    {
        bool isHeld = false;
        try
        {
            _handle.DangerousAddRef(ref isHeld);
            _ = LibC.Shutdown((int)_handle.DangerousGetHandle(), 2);
        }
        catch (ObjectDisposedException)
        {
            // Closed by another thread.
        }
        finally
        {
            if (isHeld)
            {
                _handle.DangerousRelease();
            }
        }
    }

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
