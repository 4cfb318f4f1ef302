using System.Runtime.InteropServices;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Agent.Checking;

/// <summary>
/// A small process for 'check' to stop and capture: two threads, some memory, and an answer to whoever asks whether it runs.
/// It is a grandchild, as an agent never stops its own children: those are its workers. Both end with the socket.
/// </summary>
internal sealed class CheckTarget : IDisposable
{
    /// <summary>Its word on the command line; not for users.</summary>
    internal const string Command = "check-target";

    private const string Inner = "inner";
    private const int SocketDescriptor = 3;
    private const int MemoryBytes = 8 << 20;
    private const int PatienceMilliseconds = 10_000;

    private readonly MessageSocket _socket;
    private readonly ChildProcess _parent;

    private CheckTarget(MessageSocket socket, ChildProcess parent)
    {
        _socket = socket;
        _parent = parent;
        Pid = Ask();
    }

    /// <summary>Its pid, as it says itself.</summary>
    internal int Pid { get; }

    /// <summary>Starts one.</summary>
    /// <exception cref="SyscallException">It cannot be started.</exception>
    /// <exception cref="IOException">It did not answer.</exception>
    internal static CheckTarget Start(string executable)
    {
        (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
        try
        {
            using (theirs)
            {
                return new CheckTarget(ours, ChildProcess.Start(executable, [executable, Command], theirs));
            }
        }
        catch
        {
            ours.Dispose();
            throw;
        }
    }

    /// <summary>Whether it runs: it answers within 10 s.</summary>
    internal bool Runs()
    {
        try
        {
            return Ask() == Pid;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Shutdown();
        _socket.Dispose();
        long end = Environment.TickCount64 + PatienceMilliseconds;
        while (!_parent.TryReap())
        {
            if (Environment.TickCount64 > end)
            {
                _parent.Kill();
            }

            MonotonicClock.Relax(1_000_000);
        }
    }

    /// <summary>Entry point of its processes.</summary>
    /// <returns>Exit status.</returns>
    internal static int Run(string[] args)
    {
        using var handle = new SafeFileHandle(SocketDescriptor, ownsHandle: true);
        using var socket = new MessageSocket(handle);
        try
        {
            return args is [_, Inner] ? Serve(socket) : StartInner(socket);
        }
        catch (SyscallException)
        {
            return 1;
        }
    }

    private static int StartInner(MessageSocket socket)
    {
        string executable = Environment.ProcessPath!;
        ChildProcess inner = ChildProcess.Start(executable, [executable, Command, Inner], socket);
        socket.Dispose();
        while (!inner.TryReap())
        {
            MonotonicClock.Relax(5_000_000);
        }

        return inner.ExitStatus;
    }

    private static int Serve(MessageSocket socket)
    {
        byte[] memory = GC.AllocateUninitializedArray<byte>(MemoryBytes, pinned: true);
        memory.AsSpan().Fill(0xC0);
        using var never = new ManualResetEventSlim();
        new Thread(never.Wait) { IsBackground = true }.Start();
        Span<byte> message = stackalloc byte[sizeof(int)];
        var descriptors = new List<SafeFileHandle>();
        while (socket.Receive(message, descriptors) > 0)
        {
            MemoryMarshal.Write(message, Environment.ProcessId);
            if (!socket.TrySend(message))
            {
                break;
            }
        }

        return memory[^1] == 0xC0 ? 0 : 1;
    }

    private int Ask()
    {
        Span<byte> message = stackalloc byte[sizeof(int)];
        return _socket.TrySend(message) && _socket.WaitReadable(PatienceMilliseconds) && Receive(message) == sizeof(int)
            ? MemoryMarshal.Read<int>(message)
            : throw new IOException("it does not answer");
    }

    private int Receive(Span<byte> message)
    {
        try
        {
            return _socket.Receive(message, []);
        }
        catch (SyscallException)
        {
            return 0;
        }
    }
}
