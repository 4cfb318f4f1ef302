#pragma warning disable CA2000 // What is made here is owned by the session, lease or channel that it goes to.
using System.Collections.Concurrent;
using System.Globalization;
using Corelift.Capture.Planning;
using Corelift.Capture.Sessions;
using Corelift.Capture.Supervision;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture;

/// <summary>Plans, stops and captures processes, each in a worker process of its own. For one agent; safe for several threads.</summary>
public sealed partial class CaptureEngine : IAsyncDisposable
{
    private readonly CaptureEngineOptions _options;
    private readonly TargetRegistry _registry;
    private readonly ImageJournal _journal;
    private readonly SupervisorConnection _supervisor;
    private readonly ConcurrentDictionary<string, StopLease> _leases = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<SnapshotSession, byte> _sessions = new();

    /// <summary>An engine with these budgets.</summary>
    /// <param name="options">The budgets.</param>
    /// <param name="supervisor">Who starts workers; stays the caller's.</param>
    public CaptureEngine(CaptureEngineOptions options, SupervisorConnection supervisor)
    {
        ArgumentNullException.ThrowIfNull(options);
        _supervisor = supervisor;
        _options = options;
        _registry = new TargetRegistry(options.MaxCaptures);
        _journal = new ImageJournal(options.StateDirectory);
    }

    /// <summary>Its budgets.</summary>
    public CaptureEngineOptions Options => _options;

    /// <summary>Number of captures and leases under way.</summary>
    public int ActiveCount => _registry.Count;

    /// <summary>Says what a capture would do. Touches nothing.</summary>
    /// <exception cref="CaptureException">The target cannot be captured, or not as asked.</exception>
    public CapturePlan Plan(ProcessRef target, CaptureRequest request)
    {
        OwnProcesses.ThrowIfOwn(target.Pid, _supervisor.Pid);
        using ProcessDirectory directory = TargetFacts.Open(target);
        TargetFacts facts = TargetFacts.Read(directory, _options.Limits);
        return CapturePlanner.Plan(facts, request, Resources(request), refuse: false);
    }

    /// <summary>Begins a capture: plans it, and with strategy precopy begins to track what the target writes.</summary>
    /// <exception cref="CaptureException">It cannot be captured, or not as asked; the target runs.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the target runs, and nothing is left behind.</exception>
    public async Task<CaptureUnderWay> BeginAsync(ProcessRef target, CaptureRequest request, CancellationToken cancellationToken)
    {
        OwnProcesses.ThrowIfOwn(target.Pid, _supervisor.Pid);
        ProcessRef identity = Identify(target);
        IDisposable taken = await _registry.TakeAsync(identity, cancellationToken).ConfigureAwait(false);
        try
        {
            // Not before it is ours: a capture that is still being ended traces the target.
            CapturePlan plan = PlanStrictly(identity, request);
            if (plan.Strategy == CaptureStrategy.Precopy)
            {
                try
                {
                    return await BeginPrecopyAsync(identity, request, plan, taken, cancellationToken).ConfigureAwait(false);
                }
                catch (CaptureException failure) when (failure.Failure == CaptureFailure.PrecopyNotPossible && request.Strategy == CaptureStrategy.Auto)
                {
                    taken = await _registry.TakeAsync(identity, cancellationToken).ConfigureAwait(false);
                    plan = PlanStrictly(identity, request with { CanTrack = false });
                    plan = plan with { Reasons = [failure.Message, .. plan.Reasons] };
                }
            }

            IDisposable held = taken;
            return new CaptureUnderWay(
                plan, null, token => CaptureAsync(identity, request, plan, held, token), () => { held.Dispose(); return ValueTask.CompletedTask; });
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    private async Task<SnapshotSession> CaptureAsync(
        ProcessRef identity, CaptureRequest request, CapturePlan plan, IDisposable taken, CancellationToken cancellationToken)
    {
        SnapshotSession session = plan.StreamsWhileStopped
            ? await StreamWhileStoppedAsync(identity, request, plan, taken, cancellationToken).ConfigureAwait(false)
            : await CaptureInWorkerAsync(identity, request, plan, taken, cancellationToken).ConfigureAwait(false);
        _sessions.TryAdd(session, 0);
        return session;
    }

    /// <summary>Captures a target that is stopped under a lease, as it stands; it stays stopped.</summary>
    /// <exception cref="CaptureException">Its memory cannot be read.</exception>
    public CaptureUnderWay BeginLease(StopLease lease, CaptureRequest request)
    {
        ArgumentNullException.ThrowIfNull(lease);
        using ProcessDirectory directory = ProcessDirectory.Open(lease.Target.Pid);
        TargetFacts facts = TargetFacts.Read(directory, _options.Limits);
        CapturePlan plan = CapturePlanner.Plan(facts, request with { Strategy = CaptureStrategy.Direct }, Resources(request), refuse: false);
        _options.Limits.RequireBytes(plan.TotalBytes);
        plan = plan with { Reasons = ["direct: the target is stopped under a lease"] };
        SnapshotSession session = FromLease(lease, request, plan, () => ValueTask.CompletedTask);
        return new CaptureUnderWay(plan, null, _ => Task.FromResult(session), session.DisposeAsync);
    }

    /// <summary>Stops a target under a lease.</summary>
    /// <param name="target">The process.</param>
    /// <param name="timeToLive">Time until it is resumed unless kept alive.</param>
    /// <param name="stopBudget">Longest time that stopping all its tasks may take.</param>
    /// <param name="approve">Asked when the target is seized, before it is stopped; null for nobody.</param>
    /// <param name="cancellationToken">Cancels the stop while it is being made.</param>
    /// <exception cref="CaptureException">It is not stopped.</exception>
    public async Task<StopLease> StopAsync(
        ProcessRef target, TimeSpan timeToLive, TimeSpan stopBudget, ApproveTarget? approve, CancellationToken cancellationToken)
    {
        OwnProcesses.ThrowIfOwn(target.Pid, _supervisor.Pid);
        ProcessRef identity = Identify(target);
        IDisposable taken = await _registry.TakeAsync(identity, cancellationToken).ConfigureAwait(false);
        try
        {
            // Not before it is ours, as a capture.
            using (ProcessDirectory directory = TargetFacts.Open(identity))
            {
                _options.Limits.RequireThreads(target.Pid, TargetFacts.CountThreads(directory));
            }

            StopLease lease = await StartLeaseAsync(identity, timeToLive, _options.MaxHold, stopBudget, taken, false, approve, cancellationToken).ConfigureAwait(false);
            return lease;
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    /// <summary>Finds a lease that has not ended.</summary>
    /// <exception cref="CaptureException">No lease has this id (LeaseNotFound).</exception>
    public StopLease FindLease(string leaseId) => _leases.TryGetValue(leaseId, out StopLease? lease) && !lease.HasEnded
        ? lease
        : throw new CaptureException(
            CaptureFailure.LeaseNotFound, "there is no such lease: it ran out, was ended, or never was; the process runs");

    /// <summary>Has dead images reaped that an agent before this one left; quiesced targets the supervisor has seen to already.</summary>
    /// <returns>One sentence for each target that was cleaned or could not be.</returns>
    public async Task<IReadOnlyList<string>> CleanUpAsync()
    {
        List<string> said = [.. _supervisor.CleanedUp];
        foreach (ProcessRef target in _journal.Read())
        {
            string reason = await CleanUpAsync(target).ConfigureAwait(false);
            said.Add(reason.Length == 0
                ? $"an earlier agent's capture of process {target.Pid} has been cleaned up"
                : IsLeft(target, reason));
        }

        return said;
    }

    /// <summary>Resumes everybody and ends all captures. Nothing new is taken from then on.</summary>
    public async ValueTask DisposeAsync()
    {
        _registry.Close();
        var leases = _leases.Values.Select(lease => lease.ResumeAsync());
        await Task.WhenAll(leases).ConfigureAwait(false);
        await Task.WhenAll(_sessions.Keys.Select(session => session.DisposeAsync().AsTask())).ConfigureAwait(false);
    }

    private static ProcessRef Identify(ProcessRef target)
    {
        using ProcessDirectory directory = TargetFacts.Open(target, mayBeTraced: true);
        return TargetFacts.Identify(directory);
    }

    private CapturePlan PlanStrictly(ProcessRef target, CaptureRequest request)
    {
        using ProcessDirectory directory = TargetFacts.Open(target);
        TargetFacts facts = TargetFacts.Read(directory, _options.Limits);
        CapturePlan plan = CapturePlanner.Plan(facts, request, Resources(request), refuse: true);
        _options.Limits.RequireBytes(plan.TotalBytes);
        return plan;
    }

    private SafeFileHandle? OpenSpoolFile(CapturePlan plan)
    {
        if (_options.SpoolDirectory is null || (long)plan.TotalBytes <= MemorySpoolLimit())
        {
            return null;
        }

        string path = Path.Combine(_options.SpoolDirectory, Path.GetRandomFileName());
        SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        File.Delete(path);
        return file;
    }

    private CaptureResources Resources(CaptureRequest request) =>
        new(SpoolLimit(), request.PauseCopyLimitBytes, request.CanTrack && request.SinkCanSeek ? _options.Tracking : WriteTracking.None);

    private long SpoolLimit() => _options.SpoolDirectory is null ? MemorySpoolLimit() : DiskSpoolLimit(_options.SpoolDirectory);

    private static long DiskSpoolLimit(string directory) => new DriveInfo(directory).AvailableFreeSpace / 2;

    private long MemorySpoolLimit()
    {
        const long KibiByte = 1024;
        if (_options.SpoolBytes > 0)
        {
            return _options.SpoolBytes;
        }

        foreach (string line in File.ReadLines("/proc/meminfo"))
        {
            if (line.StartsWith("MemAvailable:", StringComparison.Ordinal))
            {
                string number = line["MemAvailable:".Length..].Replace("kB", string.Empty, StringComparison.Ordinal).Trim();
                return long.Parse(number, CultureInfo.InvariantCulture) * KibiByte / 4;
            }
        }

        return 256L << 20;
    }
}
