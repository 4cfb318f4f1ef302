#pragma warning disable CA2000 // Sockets of workers are owned by the connections that they go to.
using System.Collections.Concurrent;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>A front end's connection to its supervisor. Safe for several threads.</summary>
public sealed class SupervisorConnection : IDisposable
{
    private const int NoPid = 0;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly MessageSocket _socket;
    private readonly SupervisorWelcome _welcome;
    private readonly Lock _sending = new();
    private readonly ConcurrentDictionary<int, RemoteWorker> _workers = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource<MessageSocket?>> _files = new();
    private readonly CancellationTokenSource _gone = new();
    private readonly TargetFileClient _fileClient;
    private int _lastNumber;
    private bool _isGone;

    private SupervisorConnection(MessageSocket socket, SupervisorWelcome welcome, List<string> cleanedUp, bool asksForFiles)
    {
        _socket = socket;
        _welcome = welcome;
        CleanedUp = cleanedUp;
        Features = welcome.Features.ToFeatures();
        new Thread(Receive, 256 * 1024) { IsBackground = true, Name = "supervisor-messages" }.Start();
        _fileClient = new TargetFileClient(this);
        if (asksForFiles)
        {
            ProcessDirectory.Use(_fileClient);
        }
    }

    /// <summary>Its pid.</summary>
    public int Pid => _welcome.Pid;

    /// <summary>What it holds.</summary>
    public CapabilitySet Capabilities => new(_welcome.Capabilities);

    /// <summary>The kernel's features as it found them.</summary>
    public KernelFeatures Features { get; }

    /// <summary>What it lets this front end ask for.</summary>
    public SupervisorLimits Limits => new()
    {
        MaxStopBudget = TimeSpan.FromTicks(_welcome.MaxStopBudgetNanoseconds / 100),
        MaxHold = TimeSpan.FromTicks(_welcome.MaxHoldNanoseconds / 100),
        MaxWorkers = _welcome.MaxWorkers,
    };

    /// <summary>What it did for targets that an agent before this one left; a sentence for each.</summary>
    public IReadOnlyList<string> CleanedUp { get; }

    /// <summary>Cancelled when it has gone: nothing can be stopped or captured any more.</summary>
    public CancellationToken Gone => _gone.Token;

    /// <summary>
    /// Takes over a connection, and from then on has the supervisor open what /proc gates. One for each process.
    /// </summary>
    /// <param name="socket">The connection; owned from then on.</param>
    /// <param name="version">Version of this program: the supervisor must have the same.</param>
    /// <exception cref="SupervisorException">It does not serve this front end; the message says why and what to do.</exception>
    public static SupervisorConnection Open(MessageSocket socket, string version) => Open(socket, version, asksForFiles: true);

    internal static SupervisorConnection Open(MessageSocket socket, string version, bool asksForFiles)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            SupervisorWelcome welcome = ReceiveWelcome(socket);
            Check(socket, welcome, version);
            var cleanedUp = new List<string>();
            while (cleanedUp.Count < welcome.CleanedUp)
            {
                cleanedUp.Add(ReceiveMessage<SupervisorMessage>(socket).Text.ToString());
            }

            return new SupervisorConnection(socket, welcome, cleanedUp, asksForFiles);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Shutdown(); // the receiving thread closes it
        _fileClient.Dispose();
        _gone.Dispose();
    }

    /// <summary>Has a worker started.</summary>
    /// <exception cref="CaptureException">There is none.</exception>
    internal Task<RemoteWorker> StartWorkerAsync(WorkerRequest request, SafeFileHandle? spool)
    {
        int number = Interlocked.Increment(ref _lastNumber);
        var worker = new RemoteWorker(this, number, request.Pid);
        _workers[number] = worker;
        var message = new FrontEndRequest { Verb = FrontEndVerb.StartWorker, Number = number, Start = request };
        if (!Send(message, spool))
        {
            _ = _workers.TryRemove(number, out _);
            worker.Lose();
        }

        return worker.Started;
    }

    internal void Kill(int number) => _ = Send(new FrontEndRequest { Verb = FrontEndVerb.KillWorker, Number = number }, null);

    /// <summary>Another socket for files of targets; null where the supervisor gives none, or has gone.</summary>
    internal MessageSocket? OpenFiles()
    {
        int number = Interlocked.Increment(ref _lastNumber);
        var answer = new TaskCompletionSource<MessageSocket?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _files[number] = answer;
        bool sent = Send(new FrontEndRequest { Verb = FrontEndVerb.OpenFiles, Number = number }, null);
        return sent && answer.Task.Wait(s_patience) ? answer.Task.Result : null;
    }

    private static SupervisorWelcome ReceiveWelcome(MessageSocket socket)
    {
        Span<byte> bytes = stackalloc byte[WorkerMessage.MaxBytes];
        int length = socket.WaitReadable((int)s_patience.TotalMilliseconds) ? socket.Receive(bytes, []) : 0;
        if (WorkerMessage.TryRead(bytes[..length], out SupervisorWelcome welcome) && welcome.Kind == SupervisorMessageKind.Welcome)
        {
            return welcome;
        }

        SupervisorMessageKind said = WorkerMessage.TryRead(bytes[..length], out SupervisorMessage other) ? other.Kind : default;
        throw said switch
        {
            SupervisorMessageKind.Busy => new SupervisorException(true, "the supervisor serves another front end: one is all that it takes"),
            SupervisorMessageKind.NotYou => new SupervisorException(
                false, "the supervisor does not serve this process: its --front-end-uid must be this process's user, and both must share a pid namespace (hostPID, shareProcessNamespace)"),
            _ when length == 0 => new SupervisorException(true, "the supervisor closed the connection: see its log"),
            _ => new SupervisorException(false, "the supervisor is of another version: start both from the same image or package"),
        };
    }

    private static void Check(MessageSocket socket, in SupervisorWelcome welcome, string version)
    {
        if (welcome.Version.ToString() != version)
        {
            throw new SupervisorException(
                false, $"the supervisor is of version {welcome.Version}, and this front end of {version}: start both from the same image or package");
        }

        if (welcome.PidNamespace != SupervisorProgram.OwnPidNamespace() || socket.Peer.Pid == NoPid)
        {
            throw new SupervisorException(
                false, "the supervisor is in another pid namespace, so that pids do not mean the same to both: run both with hostPID, or with shareProcessNamespace");
        }
    }

    private static T ReceiveMessage<T>(MessageSocket socket)
        where T : unmanaged
    {
        Span<byte> bytes = stackalloc byte[WorkerMessage.MaxBytes];
        return socket.WaitReadable((int)s_patience.TotalMilliseconds) && WorkerMessage.TryRead(bytes[..socket.Receive(bytes, [])], out T message)
            ? message
            : throw new SupervisorException(true, "the supervisor ended while it was being connected to: see its log");
    }

    private bool Send(FrontEndRequest request, SafeFileHandle? descriptor)
    {
        lock (_sending)
        {
            return !_isGone
                && (descriptor is null ? _socket.TrySend(WorkerMessage.ToBytes(ref request)) : _socket.TrySend(WorkerMessage.ToBytes(ref request), descriptor));
        }
    }

    private void Receive()
    {
        Span<byte> bytes = stackalloc byte[WorkerMessage.MaxBytes];
        try
        {
            while (true)
            {
                var descriptors = new List<SafeFileHandle>();
                int length = _socket.Receive(bytes, descriptors);
                if (!WorkerMessage.TryRead(bytes[..length], out SupervisorMessage message))
                {
                    break;
                }

                Take(message, descriptors.Count > 0 ? new MessageSocket(descriptors[0]) : null);
            }
        }
        catch (SyscallException)
        {
            // The connection broke.
        }

        lock (_sending)
        {
            _isGone = true;
            _socket.Dispose();
        }

        foreach (RemoteWorker worker in _workers.Values)
        {
            worker.Lose();
        }

        foreach (TaskCompletionSource<MessageSocket?> waiting in _files.Values)
        {
            _ = waiting.TrySetResult(null);
        }

        try
        {
            _gone.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The front end has ended already.
        }
    }

    private void Take(in SupervisorMessage message, MessageSocket? socket)
    {
        if (message.Kind == SupervisorMessageKind.FilesOpened && _files.TryRemove(message.Number, out TaskCompletionSource<MessageSocket?>? waiting))
        {
            _ = waiting.TrySetResult(socket);
        }
        else if (message.Kind == SupervisorMessageKind.WorkerStarted && socket is not null && _workers.TryGetValue(message.Number, out RemoteWorker? worker))
        {
            worker.Start(message.Pid, socket);
        }
        else
        {
            socket?.Dispose();
            if (message.Kind is SupervisorMessageKind.WorkerRefused or SupervisorMessageKind.WorkerEnded && _workers.TryRemove(message.Number, out worker))
            {
                worker.End(message);
            }
        }
    }
}

/// <summary>A supervisor does not serve.</summary>
public sealed class SupervisorException : Exception
{
    internal SupervisorException(bool mayPass, string message)
        : base(message) => MayPass = mayPass;

    /// <summary>Whether it is worth trying again soon.</summary>
    public bool MayPass { get; }
}
