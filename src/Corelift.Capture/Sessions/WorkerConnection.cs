#pragma warning disable CA2000 // What is made here is owned by the session, lease or channel that it goes to.
using System.Threading.Channels;
using Corelift.Capture.Supervision;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Sessions;

/// <summary>
/// A running worker seen from the front end: its messages, and the deadline of its stop enforced from outside. Killing it is the
/// resume that always works.
/// </summary>
internal sealed class WorkerConnection : IAsyncDisposable
{
    private const long GraceNanoseconds = 50_000_000;
    private const long LongestTimer = 4_294_967_294; // milliseconds
    private static readonly TimeSpan s_patienceAtEnd = TimeSpan.FromSeconds(5);

    private readonly RemoteWorker _process;
    private readonly MessageSocket _socket;
    private readonly Channel<WorkerMessageIn> _messages = Channel.CreateUnbounded<WorkerMessageIn>();
    private readonly Timer _killer;
    private volatile bool _killedByDeadline;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WorkerConnection(RemoteWorker process)
    {
        _process = process;
        _socket = process.Socket;
        _killer = new Timer(_ => KillForDeadline(), null, Timeout.Infinite, Timeout.Infinite);
        new Thread(Receive, 128 * 1024) { IsBackground = true, Name = "worker-messages" }.Start();
    }

    /// <summary>Completes when the worker has ended and was reaped.</summary>
    internal Task Ended => _ended.Task;

    /// <summary>Its pid.</summary>
    internal int Pid => _process.Pid;

    /// <summary>Has the supervisor start a worker for a request.</summary>
    /// <exception cref="CaptureException">It does not; nothing was touched.</exception>
    internal static async Task<WorkerConnection> StartAsync(
        SupervisorConnection supervisor, WorkerRequest request, SafeFileHandle? spoolFile = null) =>
        new(await supervisor.StartWorkerAsync(request, spoolFile).ConfigureAwait(false));

    /// <summary>The next message; those about the deadline are not shown.</summary>
    /// <exception cref="CaptureException">The worker failed, and said why, overran its budget, or ended without a word (WorkerLost).</exception>
    internal async Task<WorkerMessageIn> NextAsync(CancellationToken cancellationToken)
    {
        while (await _messages.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_messages.Reader.TryRead(out WorkerMessageIn? message))
            {
                return message.Reply.Kind == WorkerReplyKind.Failed
                    ? throw new CaptureException(message.Reply.Failure, message.Reply.Text)
                    : message;
            }
        }

        WorkerEnd end = await _process.Ended.ConfigureAwait(false);
        throw _killedByDeadline || end.Overran || ChildProcess.ExitStatusOf(end.WaitStatus) == WorkerClock.Overran
            ? new CaptureException(
                CaptureFailure.StopBudgetOverrun, "the stop overran its budget, and the worker was ended: every thread runs again; raise the budget or try later")
            : new CaptureException(
                CaptureFailure.WorkerLost,
                $"the worker that held the target ended unexpectedly ({ChildProcess.Describe(end.WaitStatus)}), and the target runs: see the agent's log, and try again");
    }

    /// <summary>Sends a command; false where the worker has gone.</summary>
    internal bool Send(WorkerCommand command) => _socket.TrySend(WorkerMessage.ToBytes(ref command));

    /// <summary>Kills the worker: whoever it holds runs again.</summary>
    internal void Kill() => _process.Kill();

    /// <summary>Closes the socket, by which a worker releases what it holds and ends; kills it where it does not.</summary>
    public async ValueTask DisposeAsync()
    {
        _socket.Shutdown();
        if (await Task.WhenAny(Ended, Task.Delay(s_patienceAtEnd)).ConfigureAwait(false) != Ended)
        {
            _process.Kill();
            await Ended.ConfigureAwait(false);
        }

        await _killer.DisposeAsync().ConfigureAwait(false);
        _socket.Dispose();
        while (_messages.Reader.TryRead(out WorkerMessageIn? message))
        {
            message.Dispose();
        }
    }

    private void Receive()
    {
        Span<byte> buffer = stackalloc byte[WorkerMessage.MaxBytes];
        try
        {
            while (true)
            {
                var descriptors = new List<SafeFileHandle>();
                int length = _socket.Receive(buffer, descriptors);
                if (length == 0 || !WorkerMessage.TryRead(buffer[..length], out WorkerReply reply))
                {
                    break;
                }

                Take(reply, descriptors);
            }
        }
        catch (SyscallException)
        {
            // The socket broke; the worker is on its way out.
        }

        _ = _process.Ended.Wait(Timeout.Infinite);
        _messages.Writer.TryComplete();
        _ended.TrySetResult();
    }

    private void Take(in WorkerReply reply, List<SafeFileHandle> descriptors)
    {
        switch (reply.Kind)
        {
            case WorkerReplyKind.StopBegins:
                long due = (Math.Clamp(reply.Value, 0, long.MaxValue - GraceNanoseconds) + GraceNanoseconds - MonotonicClock.Nanoseconds) / 1_000_000;
                _ = _killer.Change(Math.Clamp(due, 1, LongestTimer), Timeout.Infinite);
                return;
            case WorkerReplyKind.StopEnds:
                _ = _killer.Change(Timeout.Infinite, Timeout.Infinite);
                return;
        }

        var message = new WorkerMessageIn(reply, descriptors);
        if (!_messages.Writer.TryWrite(message))
        {
            message.Dispose();
        }
    }

    private void KillForDeadline()
    {
        _killedByDeadline = true;
        _process.Kill();
    }
}

/// <summary>A message of a worker with its descriptors.</summary>
internal sealed class WorkerMessageIn : IDisposable
{
    private readonly List<SafeFileHandle> _descriptors;
    private readonly HashSet<SafeFileHandle> _taken = [];
    private bool _keepsTaken;

    internal WorkerMessageIn(WorkerReply reply, List<SafeFileHandle> descriptors)
    {
        Reply = reply;
        _descriptors = descriptors;
    }

    internal WorkerReply Reply { get; }

    /// <summary>Of an instant: for how long the target was quiesced before it.</summary>
    internal TimeSpan QuiescedFor => TimeSpan.FromTicks(Reply.Value / 100);

    /// <summary>Whoever took descriptors owns them from now on; the others are closed.</summary>
    internal void KeepTaken() => _keepsTaken = true;

    /// <summary>A descriptor of the message, or null where it did not come. See <see cref="KeepTaken"/>.</summary>
    internal SafeFileHandle? TakeDescriptor(WorkerDescriptors which)
    {
        if ((Reply.Descriptors & which) == 0)
        {
            return null;
        }

        int index = int.PopCount((int)Reply.Descriptors & ((int)which - 1));
        if (index >= _descriptors.Count)
        {
            return null;
        }

        _taken.Add(_descriptors[index]);
        return _descriptors[index];
    }

    public void Dispose()
    {
        foreach (SafeFileHandle descriptor in _descriptors)
        {
            if (!_keepsTaken || !_taken.Contains(descriptor))
            {
                descriptor.Dispose();
            }
        }
    }
}
