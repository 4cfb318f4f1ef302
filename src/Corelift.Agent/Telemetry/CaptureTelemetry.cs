using System.Diagnostics;
using Corelift.Capture;
using Corelift.Capture.Sessions;
using Process = Corelift.V1.Process;

namespace Corelift.Agent.Telemetry;

/// <summary>
/// One capture, as telemetry sees it. While it lasts only moments are noted: a target may be stopped. Spans and measurements
/// are made when it has ended, the worker's from what it reported. Command lines and other text of targets are not among them.
/// </summary>
internal sealed class CaptureTelemetry : IDisposable
{
    private readonly CancellationToken _cancelled;
    private readonly TimeProvider _clock = TimeProvider.System;
    private readonly DateTimeOffset _began;
    private readonly long _beganTicks;
    private readonly List<(DateTimeOffset Start, LiveRound Round)> _rounds = [];
    private readonly string _content;
    private string _strategy = "none";
    private Process? _process;
    private DateTimeOffset? _prepared;
    private DateTimeOffset? _taken;
    private SnapshotSession? _session;
    private TimeSpan? _stopped;
    private ulong _memoryBytes;
    private bool _isServed;

    /// <summary>Begins with the call.</summary>
    /// <param name="content">What is captured.</param>
    /// <param name="cancelled">The call's: tells a client that gave up from a capture that failed.</param>
    internal CaptureTelemetry(CaptureContent content, CancellationToken cancelled)
    {
        _cancelled = cancelled;
        _began = _clock.GetUtcNow();
        _beganTicks = _clock.GetTimestamp();
        _content = Name(content);
        CoreliftMetrics.SnapshotActive.Add(1);
    }

    /// <summary>The capture was planned and, with strategy precopy, tracks what is written.</summary>
    internal void Prepared(Process process, CaptureStrategy strategy)
    {
        _process = process;
        _strategy = Name(strategy);
        _prepared = _clock.GetUtcNow();
    }

    /// <summary>A live round has just been sent.</summary>
    internal void RoundSent(LiveRound round) => _rounds.Add((_clock.GetUtcNow() - round.Duration, round));

    /// <summary>The instant was taken. The target may still be stopped.</summary>
    internal void Taken(SnapshotSession session)
    {
        _session = session;
        _taken = _clock.GetUtcNow();
    }

    /// <summary>All of it was sent.</summary>
    /// <param name="memoryBytes">Memory, before packing.</param>
    /// <param name="stopped">How long the target was stopped, where the session did not know it before; null otherwise.</param>
    internal void Served(ulong memoryBytes, TimeSpan? stopped)
    {
        _memoryBytes = memoryBytes;
        _stopped = stopped;
        _isServed = true;
    }

    /// <summary>It has ended, in whatever way: now it is told.</summary>
    public void Dispose()
    {
        CoreliftMetrics.SnapshotActive.Add(-1);
        string outcome = !_isServed ? _cancelled.IsCancellationRequested ? "cancelled" : "failed"
            : _session?.PartialBecause is null ? "complete" : "partial";
        Measure(outcome);
        if (Activity.Current is { IsAllDataRequested: true } call && CoreliftTraces.Source.HasListeners())
        {
            Describe(call, outcome);
            AddSpans(call.Context);
        }
    }

    private TimeSpan? Pause => _stopped ?? _session?.Pause;

    private void Measure(string outcome)
    {
        if (_session is not null)
        {
            _strategy = Name(_session.Strategy);
        }

        KeyValuePair<string, object?> strategy = new(CoreliftTraces.Strategy, _strategy), content = new(CoreliftTraces.Content, _content);
        CoreliftMetrics.SnapshotDuration.Record(
            _clock.GetElapsedTime(_beganTicks).TotalSeconds, strategy, content, new KeyValuePair<string, object?>(CoreliftTraces.Outcome, outcome));
        CoreliftMetrics.SnapshotMemory.Add((long)Math.Min(_memoryBytes, long.MaxValue), strategy, content);
        if (_session is null)
        {
            return;
        }

        // A session of a lease has no pause of its own: that is the lease's.
        if (Pause is { } pause)
        {
            CoreliftMetrics.SnapshotPause.Record(pause.TotalSeconds, strategy, content);
            CoreliftMetrics.SnapshotSkew.Record(_session.Skew.TotalSeconds, strategy, content);
            CoreliftMetrics.TargetStopped.Add(pause.TotalSeconds, new KeyValuePair<string, object?>(CoreliftTraces.Cause, "snapshot"));
        }

        if (_rounds.Count > 0)
        {
            CoreliftMetrics.SnapshotRounds.Record(_rounds.Count, content);
        }
    }

    private void Describe(Activity call, string outcome)
    {
        call.SetTag(CoreliftTraces.Strategy, _strategy);
        call.SetTag(CoreliftTraces.Content, _content);
        call.SetTag(CoreliftTraces.Outcome, outcome);
        call.SetTag(CoreliftTraces.MemoryBytes, (long)Math.Min(_memoryBytes, long.MaxValue));
        if (_process is not null)
        {
            call.SetTag("process.pid", (long)_process.Summary.Ref.Pid);
            if (_process.Summary.Pod is { } pod)
            {
                call.SetTag("k8s.namespace.name", pod.Namespace);
                call.SetTag("k8s.pod.name", pod.Pod);
                call.SetTag("k8s.pod.uid", pod.PodUid);
                call.SetTag("k8s.container.name", pod.Container);
            }
        }

        if (_session is not null)
        {
            call.SetTag(CoreliftTraces.Threads, _session.ThreadCount);
            call.SetTag(CoreliftTraces.Pause, Pause?.TotalSeconds);
            call.SetTag(CoreliftTraces.Skew, _session.Skew.TotalSeconds);
        }
    }

    private void AddSpans(ActivityContext call)
    {
        if (_prepared is not { } prepared)
        {
            return;
        }

        ActivityContext prepare = CoreliftTraces.Add(call, "corelift.prepare", _began, prepared - _began);
        if (_session is { Setup: { Ticks: > 0 } setup })
        {
            CoreliftTraces.Add(prepare, "corelift.setup", prepared - setup, setup);
        }

        foreach ((DateTimeOffset start, LiveRound round) in _rounds)
        {
            CoreliftTraces.Add(
                call, "corelift.round", start, round.Duration, new(CoreliftTraces.Round, round.Number), new(CoreliftTraces.MemoryBytes, (long)round.MemoryBytes));
        }

        if (_session is null || _taken is not { } taken)
        {
            return;
        }

        if (Pause is { } pause)
        {
            ActivityContext span = CoreliftTraces.Add(call, "corelift.pause", _session.StoppedAt, pause, new KeyValuePair<string, object?>(CoreliftTraces.Threads, _session.ThreadCount));
            AddPhases(span, _session.StoppedAt, _session.Phases);
        }

        CoreliftTraces.Add(call, "corelift.send", taken, _clock.GetUtcNow() - taken, new KeyValuePair<string, object?>(CoreliftTraces.MemoryBytes, (long)_memoryBytes));
    }

    /// <summary>The phases as the worker timed them, one after the other, which is their order.</summary>
    private static void AddPhases(ActivityContext pause, DateTimeOffset start, PausePhases phases)
    {
        foreach ((string name, long nanoseconds) in (ReadOnlySpan<(string, long)>)
            [
                ("interrupt", phases.Interrupt), ("registers", phases.Registers), ("scan", phases.Scan), ("copy", phases.Copy),
                ("fork", phases.Fork), ("resume", phases.Resume),
            ])
        {
            if (nanoseconds > 0)
            {
                TimeSpan duration = TimeSpan.FromTicks(nanoseconds / 100);
                CoreliftTraces.Add(pause, "corelift.pause." + name, start, duration);
                start += duration;
            }
        }
    }

    private static string Name(CaptureStrategy strategy) => strategy switch
    {
        CaptureStrategy.Direct => "direct",
        CaptureStrategy.Fork => "fork",
        CaptureStrategy.Precopy => "precopy",
        _ => "auto",
    };

    private static string Name(CaptureContent content) => content switch
    {
        CaptureContent.Full => "full",
        CaptureContent.Stacks => "stacks",
        _ => "default",
    };
}
