using Corelift.Capture.Planning;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Sessions;

/// <summary>Answers a worker that has seized its target and asks whether it may stop it.</summary>
internal sealed class Approver : IDisposable
{
    private readonly ApproveTarget? _approve;
    private readonly ProcessDirectory? _directory;
    private bool _wasAsked;

    /// <summary>Opens the target before the worker does: what is read through this directory later is the process that the worker seized.</summary>
    /// <exception cref="CaptureException">It is not there any more, or another one.</exception>
    internal Approver(ProcessRef target, ApproveTarget? approve)
    {
        _approve = approve;
        _directory = approve is null ? null : TargetFacts.Open(target);
    }

    /// <summary>Whether the worker is to ask.</summary>
    internal int AsksFirst => _approve is null ? 0 : 1;

    /// <summary>The worker's next message that is no question; questions are answered.</summary>
    /// <exception cref="CaptureException">As <see cref="WorkerConnection.NextAsync"/>, and where the target ended.</exception>
    internal async Task<WorkerMessageIn> NextAsync(WorkerConnection worker, CancellationToken cancellationToken)
    {
        while (true)
        {
            WorkerMessageIn message = await worker.NextAsync(cancellationToken).ConfigureAwait(false);
            if (message.Reply.Kind != WorkerReplyKind.Seized)
            {
                return message;
            }

            message.Dispose();
            Approval approval = await DecideAsync(cancellationToken).ConfigureAwait(false);
            _ = worker.Send(WorkerCommand.Of(approval));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _directory?.Dispose();

    private async Task<Approval> DecideAsync(CancellationToken cancellationToken)
    {
        bool isFirst = !_wasAsked;
        _wasAsked = true;
        try
        {
            return await _approve!(_directory!, isFirst, cancellationToken).ConfigureAwait(false);
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw new CaptureException(CaptureFailure.TargetExited, $"process {_directory!.Pid} ended before it was stopped");
        }
    }
}
