using Corelift.Linux;
using Corelift.Linux.Processes;

namespace Corelift.Capture.Supervision;

/// <summary>How a worker ended.</summary>
/// <param name="WaitStatus">As wait4(2) has it; -1 where nobody saw it.</param>
/// <param name="Overran">Whether the supervisor killed it because its stop overran.</param>
internal readonly record struct WorkerEnd(int WaitStatus, bool Overran);

/// <summary>A worker that the supervisor started for this front end.</summary>
internal sealed class RemoteWorker
{
    private readonly SupervisorConnection _supervisor;
    private readonly int _number;
    private readonly int _target;
    private readonly TaskCompletionSource<RemoteWorker> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<WorkerEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal RemoteWorker(SupervisorConnection supervisor, int number, int target)
    {
        _supervisor = supervisor;
        _number = number;
        _target = target;
    }

    /// <summary>Completes when it runs; fails where there is none.</summary>
    internal Task<RemoteWorker> Started => _started.Task;

    /// <summary>Completes when it has ended and was reaped, or when the supervisor has gone: then it ends by itself.</summary>
    internal Task<WorkerEnd> Ended => _ended.Task;

    internal int Pid { get; private set; }

    /// <summary>The socket to it; owned by who got this worker.</summary>
    internal MessageSocket Socket { get; private set; } = null!;

    /// <summary>Has it killed: whoever it holds runs again.</summary>
    internal void Kill() => _supervisor.Kill(_number);

    internal void Start(int pid, MessageSocket socket)
    {
        (Pid, Socket) = (pid, socket);
        _ = _started.TrySetResult(this);
    }

    internal void End(in SupervisorMessage message)
    {
        if (message.Kind == SupervisorMessageKind.WorkerRefused)
        {
            _ = _started.TrySetException(Describe(message));
        }

        _ = _ended.TrySetResult(new WorkerEnd(message.WaitStatus, message.Overran != 0));
    }

    /// <summary>The supervisor has gone.</summary>
    internal void Lose()
    {
        _ = _started.TrySetException(new CaptureException(
            CaptureFailure.ShuttingDown, "the agent's supervisor has ended, and so does the agent: nobody is held; ask again when it runs"));
        _ = _ended.TrySetResult(new WorkerEnd(-1, false));
    }

    private CaptureException Describe(in SupervisorMessage message) => message.Refusal switch
    {
        WorkerRefusal.TargetGone => new CaptureException(CaptureFailure.TargetExited, $"process {_target} ended before it was stopped"),
        WorkerRefusal.OwnProcess => new CaptureException(CaptureFailure.OwnProcess, $"{_target} belongs to the agent or is an ancestor of it, which it must not stop"),
        WorkerRefusal.TooManyWorkers => new CaptureException(
            CaptureFailure.TooManyCaptures, "as many workers are under way as the agent's supervisor allows: try again later"),
        WorkerRefusal.CannotStart => new CaptureException(
            CaptureFailure.Internal, $"no worker could be started ({Errors(message.WaitStatus)}): see how many processes the agent may have, and its state directory"),
        _ => new CaptureException(
            CaptureFailure.Internal, "the agent's supervisor refuses the request: is its --max-stop-budget or --max-hold below the front end's?"),
    };

    private static string Errors(int errno) => errno == 0 ? "a file could not be made" : ((Errno)errno).ToString();
}
