using System.Runtime.InteropServices;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>SIGTERM, SIGINT and SIGQUIT as something to wait on.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly MessageSocket _writes;
    private readonly PosixSignalRegistration[] _registrations;

    internal StopSignals()
    {
        (Socket, _writes) = MessageSocket.CreatePair();
        PosixSignal[] signals = [PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT];
        _registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            _ = _writes.TrySendNow([1]);
        }))];
    }

    /// <summary>Ready when a signal has come.</summary>
    internal MessageSocket Socket { get; }

    /// <summary>Takes a signal that has come.</summary>
    internal void Take()
    {
        Span<byte> one = stackalloc byte[1];
        _ = Socket.Receive(one, new List<SafeFileHandle>());
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        Socket.Dispose();
        _writes.Dispose();
    }
}

/// <summary>Beside a front end that the supervisor started itself: signals are for it, and it has a while to end.</summary>
internal sealed class FrontEndChild(ChildProcess frontEnd, StopSignals signals, TimeSpan patience) : ISupervisorEvents
{
    public IReadOnlyList<MessageSocket> Sockets { get; } = [signals.Socket];

    public long DueAt { get; private set; } = long.MaxValue;

    /// <summary>Whether it was told to stop.</summary>
    internal bool WasTerminated { get; private set; }

    public void Look(ReadOnlySpan<bool> isReady)
    {
        if (isReady[0])
        {
            signals.Take();
            frontEnd.Terminate();
            DueAt = WasTerminated ? DueAt : MonotonicClock.Nanoseconds + (patience.Ticks * 100);
            WasTerminated = true;
        }
    }

    public bool IsOver(long now)
    {
        if (now > DueAt)
        {
            DueAt = long.MaxValue;
            frontEnd.Kill();
        }

        return false; // its end ends the connection
    }
}

/// <summary>Front ends that connect: the next one where none is served, and a refusal for all others.</summary>
internal sealed class FrontEndQueue(MessageListener listener, uint uid, StopSignals signals, TimeSpan patience, Action<string> say) : ISupervisorEvents
{
    private bool _isStopping;

    public IReadOnlyList<MessageSocket> Sockets { get; } = [signals.Socket, listener.Socket];

    public long DueAt { get; private set; } = long.MaxValue;

    /// <summary>Waits for a front end; null where the supervisor was told to stop.</summary>
    internal MessageSocket? Next()
    {
        bool[] ready = new bool[2];
        while (!_isStopping)
        {
            MessageSocket.WaitAny([signals.Socket, listener.Socket], ready, -1);
            if (ready[0])
            {
                TakeSignal();
            }
            else if (ready[1] && Accept() is { } frontEnd)
            {
                return frontEnd;
            }
        }

        return null;
    }

    public void Look(ReadOnlySpan<bool> isReady)
    {
        if (isReady[0])
        {
            TakeSignal();
        }

        if (isReady[1] && Accept() is { } another)
        {
            Refuse(another, SupervisorMessageKind.Busy);
        }
    }

    /// <summary>After a signal the front end, which has had it as well, has a while to end in order.</summary>
    public bool IsOver(long now) => _isStopping && now > DueAt;

    private void TakeSignal()
    {
        signals.Take();
        DueAt = _isStopping ? 0 : MonotonicClock.Nanoseconds + (patience.Ticks * 100);
        _isStopping = true;
    }

    private MessageSocket? Accept()
    {
        if (listener.Accept() is not { } socket)
        {
            return null;
        }

        (int pid, uint peer) = Peer(socket);
        if (peer == uid && pid > 0)
        {
            return socket;
        }

        say(pid == 0
            ? $"refused a process of uid {peer} in another pid namespace: run both with hostPID, or with shareProcessNamespace"
            : $"refused process {pid} of uid {peer}: the front end's uid is {uid}");
        Refuse(socket, SupervisorMessageKind.NotYou);
        return null;
    }

    private static void Refuse(MessageSocket socket, SupervisorMessageKind because)
    {
        using (socket)
        {
            var message = new SupervisorMessage { Kind = because };
            _ = socket.TrySendNow(Worker.WorkerMessage.ToBytes(ref message));
        }
    }

    private static (int Pid, uint Uid) Peer(MessageSocket socket)
    {
        try
        {
            return socket.Peer;
        }
        catch (SyscallException)
        {
            return (0, uint.MaxValue);
        }
    }
}

/// <summary>Nothing beside the front end.</summary>
internal sealed class NoEvents : ISupervisorEvents
{
    public IReadOnlyList<MessageSocket> Sockets => [];

    public long DueAt => long.MaxValue;

    public void Look(ReadOnlySpan<bool> isReady)
    {
    }

    public bool IsOver(long now) => false;
}
