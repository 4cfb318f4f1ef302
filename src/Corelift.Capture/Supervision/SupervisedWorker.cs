using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>A worker as its supervisor sees it: the process, and the deadline of its stop, which it is killed at.</summary>
internal sealed class SupervisedWorker : IDisposable
{
    private const long GraceNanoseconds = 100_000_000; // the worker gives itself 30 ms, the front end 50
    private const long PatienceAtEnd = 1_000_000_000;

    private readonly ChildProcess _process;
    private long _deadline = long.MaxValue;

    private SupervisedWorker(int number, ProcessRef target, ChildProcess process, MessageSocket control, SafeFileHandle? journal)
    {
        Number = number;
        Target = target;
        _process = process;
        Control = control;
        Journal = journal;
    }

    /// <summary>The front end's number for it.</summary>
    internal int Number { get; }

    internal ProcessRef Target { get; }

    internal int Pid => _process.Pid;

    /// <summary>What it says on: deadlines. Its end is the worker's.</summary>
    internal MessageSocket Control { get; }

    /// <summary>Journal of the target's schedules, where it may be quiesced.</summary>
    internal SafeFileHandle? Journal { get; }

    /// <summary>Where this one only gives schedules back: the end of the worker before it, to be told when that is done.</summary>
    internal SupervisedWorker? Before { get; private init; }

    /// <summary>How many workers have tried to give the schedules back, this one among them.</summary>
    internal int Restores { get; private init; }

    /// <summary>Whether it was killed because its stop overran.</summary>
    internal bool Overran { get; private set; }

    /// <summary>Whether it has said its last.</summary>
    internal bool IsEnding { get; private set; }

    internal int WaitStatus => _process.WaitStatus;

    /// <summary>When something has to be done about it, CLOCK_MONOTONIC in nanoseconds.</summary>
    internal long DueAt => _deadline == long.MaxValue ? long.MaxValue : _deadline + GraceNanoseconds;

    /// <summary>Starts a worker and sends it its request.</summary>
    /// <param name="executable">The program.</param>
    /// <param name="number">The front end's number for it.</param>
    /// <param name="request">The request, checked.</param>
    /// <param name="spool">Spool file, or null; stays the caller's.</param>
    /// <param name="journal">Journal, or null; the worker's from then on.</param>
    /// <param name="toWorker">Receives the end of the socket that the worker answers on; the caller owns it.</param>
    /// <param name="before">Where this one only gives schedules back: the worker before it, which did not.</param>
    /// <exception cref="SyscallException">It could not be started.</exception>
    internal static SupervisedWorker Start(
        string executable, int number, WorkerRequest request, SafeFileHandle? spool, SafeFileHandle? journal, out MessageSocket toWorker,
        SupervisedWorker? before = null)
    {
        (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
        using MessageSocket closed = theirs;
        MessageSocket? control = null;
        try
        {
            (control, MessageSocket controlOfWorker) = MessageSocket.CreatePair();
            using MessageSocket handedOver = controlOfWorker;
            ChildProcess process = ChildProcess.Start(executable, [executable, "worker"], theirs);
            request.HasSpoolFile = spool is null ? 0 : 1;
            request.Quiesces = journal is null ? 0 : 1;
            SafeFileHandle?[] files = [handedOver.Handle, spool, journal];
            _ = ours.TrySend(WorkerMessage.ToBytes(ref request), files.OfType<SafeFileHandle>().ToArray());
            toWorker = ours;
            return new SupervisedWorker(number, new ProcessRef(request.Pid, request.StartTimeTicks), process, control, journal)
            {
                Before = before?.Before ?? before,
                Restores = before is null ? 0 : before.Restores + 1,
            };
        }
        catch
        {
            control?.Dispose();
            ours.Dispose();
            throw;
        }
    }

    /// <summary>Takes what it says; call where <see cref="Control"/> is ready.</summary>
    internal void Hear()
    {
        Span<byte> message = stackalloc byte[WorkerMessage.MaxBytes];
        var none = new List<SafeFileHandle>();
        int length = Control.Receive(message, none);
        if (length == 0 || !WorkerMessage.TryRead(message[..length], out WorkerReply reply))
        {
            IsEnding = true;
            _deadline = MonotonicClock.Nanoseconds + PatienceAtEnd;
            return;
        }

        _deadline = reply.Kind == WorkerReplyKind.StopBegins ? Math.Clamp(reply.Value, 0, long.MaxValue - GraceNanoseconds - 1) : long.MaxValue;
    }

    /// <summary>Kills it where its time is up: whoever it holds runs again.</summary>
    internal void Enforce(long now)
    {
        if (now >= DueAt)
        {
            Overran = !IsEnding;
            _deadline = long.MaxValue;
            _process.Kill();
        }
    }

    internal void Kill() => _process.Kill();

    /// <summary>Reaps it if it has ended.</summary>
    internal bool HasEnded() => IsEnding && _process.TryReap();

    /// <summary>Waits for its end; kills it where that does not come by itself.</summary>
    internal void EndAndReap()
    {
        _ = Control.WaitReadable((int)(PatienceAtEnd / 1_000_000));
        _process.Kill();
        while (!_process.TryReap())
        {
            MonotonicClock.Relax(1_000_000);
        }
    }

    public void Dispose() => Control.Dispose();
}
