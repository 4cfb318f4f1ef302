using System.Globalization;

namespace Corelift.Capture;

/// <content>What a plan says only once the worker has been at work.</content>
public sealed partial class CaptureEngine
{
    /// <summary>Says in the plan that the target was quiesced, or why it was not although that was asked for.</summary>
    private static CapturePlan WithQuiesce(CapturePlan plan, TimeSpan quiescedFor, string notBecause) =>
        notBecause.Length > 0 ? plan with { Warnings = [.. plan.Warnings, $"not quiesced: {notBecause}"] }
        : quiescedFor > TimeSpan.Zero
            ? plan with
            {
                Reasons =
                [
                    .. plan.Reasons,
                    string.Create(CultureInfo.InvariantCulture, $"quiesced: its threads ran on one CPU at SCHED_IDLE for the last {quiescedFor.TotalMilliseconds:0.0} ms before the stop"),
                ],
            }
        : plan;
}
