#pragma warning disable CA2000 // What is made here is owned by the session, lease or channel that it goes to.
using Corelift.Capture.Planning;
using Corelift.Capture.Sessions;
using Corelift.Capture.Worker;
using Corelift.Linux;

namespace Corelift.Capture;

/// <content>Strategy precopy: a worker that tracks writes, live rounds, and then the instant.</content>
public sealed partial class CaptureEngine
{
    private static readonly TimeSpan s_trackingRound = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Plans with a tracking round: measures for a moment how fast the target writes to its memory. One thread of it is stopped
    /// for less than a millisecond.
    /// </summary>
    /// <returns>The plan; with a warning instead of the rate where nothing can be tracked.</returns>
    /// <exception cref="CaptureException">It cannot be captured, or not as asked; the target runs.</exception>
    public async Task<CapturePlan> PlanWithRoundAsync(ProcessRef target, CaptureRequest request, CancellationToken cancellationToken)
    {
        CapturePlan plan = Plan(target, request);
        if (plan.Strategy != CaptureStrategy.Precopy)
        {
            return plan with { Warnings = [.. plan.Warnings, "no tracking round was made: strategy precopy would not be used"] };
        }

        await using CaptureUnderWay capture = await BeginAsync(target, request, cancellationToken).ConfigureAwait(false);
        if (capture.Live is null)
        {
            return capture.Plan;
        }

        ulong rate = await capture.Live.MeasureRateAsync(s_trackingRound, cancellationToken).ConfigureAwait(false);
        return CapturePlanner.WithRate(plan, rate, _options.Tracking);
    }

    private async Task<CaptureUnderWay> BeginPrecopyAsync(
        ProcessRef target, CaptureRequest request, CapturePlan plan, IDisposable taken, CancellationToken cancellationToken)
    {
        var approver = new Approver(target, request.Approve);
        _journal.Note(target);
        WorkerConnection worker;
        try
        {
            worker = await StartWorkerAsync(
                target, ToWorker(WorkerTask.Precopy, target, request, plan.Strategy, request.PrecopyCopyLimitBytes, approver), taken).ConfigureAwait(false);
        }
        catch
        {
            approver.Dispose();
            throw;
        }

        try
        {
            using WorkerMessageIn tracking = await approver.NextAsync(worker, cancellationToken).ConfigureAwait(false);
            var live = new PrecopyCapture(target, worker, tracking, approver, TryOpen(target)) { PlannedReasons = plan.Reasons };
            bool handedOver = false;
            return new CaptureUnderWay(
                plan,
                live,
                async token =>
                {
                    using WorkerMessageIn instant = await live.TakeInstantAsync(token).ConfigureAwait(false);
                    CapturePlan taking = WithQuiesce(plan, instant.QuiescedFor, instant.Reply.Text);
                    SnapshotSession session = FromInstant(target, taking, instant, worker, live, () => EndAsync(target, worker, taken));
                    handedOver = true;
                    _sessions.TryAdd(session, 0);
                    return session;
                },
                async () =>
                {
                    await live.DisposeAsync().ConfigureAwait(false);
                    approver.Dispose();
                    if (!handedOver)
                    {
                        if (live.IsStopping)
                        {
                            worker.Kill(); // wherever it is: whoever it holds runs at once
                        }

                        await EndAsync(target, worker, taken).ConfigureAwait(false);
                    }
                });
        }
        catch (Exception failure)
        {
            if (failure is OperationCanceledException)
            {
                worker.Kill();
            }

            approver.Dispose();
            await EndAsync(target, worker, taken).ConfigureAwait(false);
            throw;
        }
    }
}
