#pragma warning disable CA2000 // Disposed of by the await using.
using Corelift.Capture.Sessions;
using Corelift.Capture.Worker;
using Corelift.Linux;

namespace Corelift.Capture;

/// <content>Seeing to what a lost worker left in a target.</content>
public sealed partial class CaptureEngine
{
    /// <summary>Told, in one sentence, what could not be taken back from a target; the agent's next start tries again.</summary>
    public Action<string>? LeftBehind { get; set; }

    /// <summary>A worker that did not say that all is released may have left a dead child of the target, or a job-stopped thread in a call.</summary>
    private async Task TidyAsync(ProcessRef target, bool clean)
    {
        if (clean)
        {
            _journal.Forget(target);
        }
        else if (await ReapLeftoversAsync(target).ConfigureAwait(false) is { Length: > 0 } reason)
        {
            LeftBehind?.Invoke(IsLeft(target, reason));
        }
    }

    private static string IsLeft(ProcessRef target, string reason) => $"something of ours is left in process {target.Pid}: {reason}";

    /// <summary>Nobody captures it meanwhile: that capture would meet our tracer, and its note would be forgotten here.</summary>
    private async Task<string> CleanUpAsync(ProcessRef target)
    {
        try
        {
            using IDisposable taken = await _registry.TakeAsync(target, CancellationToken.None).ConfigureAwait(false);
            return await ReapLeftoversAsync(target).ConfigureAwait(false);
        }
        catch (CaptureException failure)
        {
            return failure.Message;
        }
    }

    private static async Task<bool> ReleasedCleanlyAsync(WorkerConnection worker)
    {
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            while (true)
            {
                using WorkerMessageIn message = await worker.NextAsync(patience.Token).ConfigureAwait(false);
                if (message.Reply.Kind == WorkerReplyKind.Released)
                {
                    return message.Reply.Text.Length == 0;
                }
            }
        }
        catch (Exception failure) when (failure is CaptureException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <returns>Empty, or why it is not done: one sentence.</returns>
    private async Task<string> ReapAsync(ProcessRef target, int image, int attempts)
    {
        try
        {
            WorkerConnection worker = await WorkerConnection.StartAsync(
                _supervisor,
                new WorkerRequest { Task = WorkerTask.Reap, Pid = target.Pid, StartTimeTicks = target.StartTimeTicks, ImagePid = image }).ConfigureAwait(false);
            await using (worker.ConfigureAwait(false))
            {
                using WorkerMessageIn message = await worker.NextAsync(CancellationToken.None).ConfigureAwait(false);
                return message.Reply.Text;
            }
        }
        catch (CaptureException failure)
        {
            // Killed as the one before it: it left what that had left.
            return failure.Failure == CaptureFailure.WorkerLost && attempts > 1
                ? await ReapAsync(target, image, attempts - 1).ConfigureAwait(false)
                : failure.Message;
        }
    }

    private async Task<string> ReapLeftoversAsync(ProcessRef target)
    {
        string reason = string.Empty;
        if (await ImageJournal.FindDeadImagesAsync(target).ConfigureAwait(false) is not { } images)
        {
            return "a thread of it, or the image, has not had a CPU for seconds";
        }

        if (images.Count == 0 && ReapTask.IsJobStopped(target))
        {
            images.Add(0); // nothing to reap, but a thread may be in the middle of a call
        }

        foreach (int image in images)
        {
            reason = await ReapAsync(target, image, attempts: 3).ConfigureAwait(false);
        }

        if (reason.Length == 0)
        {
            _journal.Forget(target);
        }

        return reason;
    }
}
