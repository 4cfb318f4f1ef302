using System.Diagnostics.Metrics;
using Corelift.Capture.Sessions;

namespace Corelift.Agent.Telemetry;

/// <summary>
/// Everything that the agent counts and measures; the one place where a metric is named. Units are UCUM's. Without an
/// exporter nobody listens, and recording returns at once. Nothing here is called while a target is stopped.
/// </summary>
internal static class CoreliftMetrics
{
    /// <summary>Name of the meter.</summary>
    internal const string MeterName = "Corelift";

    private static readonly Meter s_meter = new(MeterName, AgentVersion.Text);

    // 100 us to 30 s: three steps a decade.
    private static readonly InstrumentAdvice<double> s_pauses = new()
    {
        HistogramBucketBoundaries = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    };

    // 10 ms to an hour: as long as a client takes to receive.
    private static readonly InstrumentAdvice<double> s_durations = new()
    {
        HistogramBucketBoundaries = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600],
    };

    private static readonly InstrumentAdvice<long> s_rounds = new() { HistogramBucketBoundaries = [0, 1, 2, 3, 4, 6, 8, 12] };

    /// <summary>How long a target did not run for a snapshot. Tags: strategy, content.</summary>
    internal static Histogram<double> SnapshotPause { get; } = s_meter.CreateHistogram(
        "corelift.snapshot.pause", "s", "Time for which a target did not run while a snapshot of it was taken", null, s_pauses);

    /// <summary>Time between the first and the last thread's stop. Tags: strategy, content.</summary>
    internal static Histogram<double> SnapshotSkew { get; } = s_meter.CreateHistogram(
        "corelift.snapshot.skew", "s", "Time between the stop of the first and of the last thread of a target", null, s_pauses);

    /// <summary>From the call to its last message. Tags: strategy, content, outcome.</summary>
    internal static Histogram<double> SnapshotDuration { get; } = s_meter.CreateHistogram(
        "corelift.snapshot.duration", "s", "Time from the call for a snapshot to its last message", null, s_durations);

    /// <summary>Memory sent, before packing. Tags: strategy, content.</summary>
    internal static Counter<long> SnapshotMemory { get; } = s_meter.CreateCounter<long>(
        "corelift.snapshot.memory", "By", "Memory of targets that was sent to clients, before packing");

    /// <summary>Live rounds before the stop, strategy precopy.</summary>
    internal static Histogram<long> SnapshotRounds { get; } = s_meter.CreateHistogram(
        "corelift.snapshot.rounds", "{round}", "Rounds in which strategy precopy read memory before the stop", null, s_rounds);

    /// <summary>Snapshots under way.</summary>
    internal static UpDownCounter<long> SnapshotActive { get; } = s_meter.CreateUpDownCounter<long>(
        "corelift.snapshot.active", "{snapshot}", "Snapshots that are being taken or sent");

    /// <summary>How long a lease held its target.</summary>
    internal static Histogram<double> StopDuration { get; } = s_meter.CreateHistogram(
        "corelift.stop.duration", "s", "Time for which a lease held its target stopped", null, s_pauses);

    /// <summary>Sum of all time for which targets did not run. Tag: cause, snapshot or lease.</summary>
    internal static Counter<double> TargetStopped { get; } = s_meter.CreateCounter<double>(
        "corelift.target.stopped", "s", "Time for which targets did not run because of the agent");

    /// <summary>Stops that were given up because they took longer than allowed.</summary>
    internal static Counter<long> StopBudgetOverruns { get; } = s_meter.CreateCounter<long>(
        "corelift.stop_budget.overruns", "{stop}", "Stops that took longer than their budget and were given up");

    /// <summary>Calls that ended with a reason of the contract. Tags: reason (that of ErrorInfo), rpc.method.</summary>
    internal static Counter<long> Refusals { get; } = s_meter.CreateCounter<long>(
        "corelift.refusals", "{call}", "Calls that were refused or given up, by the reason that the client was told");

    /// <summary>Records of the audit that could not be written.</summary>
    internal static Counter<long> AuditFailures { get; } = s_meter.CreateCounter<long>(
        "corelift.audit.failures", "{record}", "Audit records that could not be written");

    /// <summary>Duration of calls, as OpenTelemetry's conventions for RPC name it.</summary>
    internal static Histogram<double> CallDuration { get; } = s_meter.CreateHistogram(
        "rpc.server.call.duration", "s", "Duration of calls to the agent", null, s_durations);

    /// <summary>Makes the counters appear that alerts watch, and begins to say what this process costs and whether it is ready.</summary>
    /// <param name="isReady">Asked whenever the metrics are collected; must not block.</param>
    /// <param name="heldTargets">Number of targets that are held under leases; the same.</param>
    internal static void BeginToObserve(Func<bool> isReady, Func<long> heldTargets)
    {
        StopBudgetOverruns.Add(0);
        AuditFailures.Add(0);
        SnapshotActive.Add(0);
        _ = s_meter.CreateObservableUpDownCounter("corelift.stop.active", heldTargets, "{stop}", "Targets that are held stopped under a lease");
        _ = s_meter.CreateObservableGauge("corelift.agent.ready", () => isReady() ? 1L : 0L, unit: null, "Whether the agent takes new work");
        _ = s_meter.CreateObservableUpDownCounter("process.memory.usage", () => Environment.WorkingSet, "By", "Resident memory of the agent's first process");
        _ = s_meter.CreateObservableCounter("process.cpu.time", () => Environment.CpuUsage.TotalTime.TotalSeconds, "s", "CPU time of the agent's first process");
    }

    /// <summary>Measures a lease when it has ended.</summary>
    internal static async Task MeasureAsync(StopLease lease)
    {
        await lease.Completion.ConfigureAwait(false);
        double stopped = lease.StoppedFor.TotalSeconds;
        StopDuration.Record(stopped);
        TargetStopped.Add(stopped, new KeyValuePair<string, object?>(CoreliftTraces.Cause, "lease"));
    }
}
