using System.Collections.Concurrent;
using Corelift.Agent.Access.Policy;
using Corelift.Agent.Telemetry;

namespace Corelift.Agent.Audit;

/// <summary>A record could not be written, and the policy wants none of the work without it.</summary>
internal sealed class AuditUnavailableException(string message) : Exception(message);

/// <summary>
/// What was done to whom, by whom: to the file where there is one, and to the log. A beginning is on disk before the work
/// begins. An end that cannot be written is kept and written before the next record.
/// </summary>
internal sealed class AuditTrail : IDisposable
{
    /// <summary>Outcome of what an agent was doing when it was killed.</summary>
    internal const string Interrupted = "interrupted";

    private const int MostKept = 1000;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly ConcurrentQueue<(IAuditRecord Record, DateTimeOffset Time)> _kept = new();
    private readonly AuditFile? _file;
    private readonly IPolicySource _policy;
    private readonly TimeProvider _time;
    private readonly ILogger _log;

    /// <summary>A trail that begins: what an agent before this one left open is closed.</summary>
    /// <param name="file">The file, or null for the log alone. Owned.</param>
    /// <param name="policy">Says whether work goes on where nothing can be written.</param>
    /// <param name="time">Clock.</param>
    /// <param name="log">Log.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    internal AuditTrail(AuditFile? file, IPolicySource policy, TimeProvider time, ILogger log)
    {
        (_file, _policy, _time, _log) = (file, policy, time, log);
        if (file is null)
        {
            return;
        }

        if (file.MissingUpTo > 0)
        {
            log.AuditTailMissing(file.Sequence, file.MissingUpTo);
        }

        Append(new AuditLife("start", file.TornBytes, file.MissingUpTo));
        foreach (string operation in file.OpenOperations.ToArray())
        {
            Append(new AuditEnd(operation, Interrupted));
            log.AuditInterrupted(operation);
        }
    }

    /// <summary>Number of records that could not be written when they were due.</summary>
    internal long Failures { get; private set; }

    /// <summary>Writes that something begins, or is another than it was when it began.</summary>
    /// <exception cref="AuditUnavailableException">It is not written, and the policy says that nothing is done then.</exception>
    internal async Task BeginAsync(AuditBegin record, CancellationToken cancellationToken)
    {
        string failure = await TryWriteAsync(record, cancellationToken).ConfigureAwait(false);
        if (failure.Length > 0 && _policy.Current.RequiresAudit)
        {
            throw new AuditUnavailableException(failure);
        }

        _log.AuditBegan(
            record.Operation, record.Event, record.Action, AgentLog.Escape(record.Caller.Name), AgentLog.Escape(record.Reason), record.Target.Process.Pid,
            AgentLog.Escape(record.Target.Executable), record.Target.Pod?.Namespace ?? string.Empty, record.Target.Pod?.Name ?? string.Empty,
            record.Target.Pod?.Uid ?? string.Empty, record.Target.Pod?.ImageDigest ?? string.Empty, record.Content?.ToString() ?? string.Empty,
            record.IncludesSecrets, _file?.Sequence ?? 0, _file?.Hash ?? string.Empty);
    }

    /// <summary>Writes that something was denied; what cannot be written is in the log.</summary>
    internal async Task DenyAsync(AuditBegin record, string outcome)
    {
        _ = await TryWriteAsync(record with { Event = "denied", Because = outcome }, CancellationToken.None).ConfigureAwait(false);
        _log.AuditDenied(record.Operation, record.Action, AgentLog.Escape(record.Caller.Name), record.Target.Process.Pid, outcome);
    }

    /// <summary>Writes how something ended; where that is not possible, it is kept for later.</summary>
    internal async Task EndAsync(AuditEnd record)
    {
        string failure = await TryWriteAsync(record, CancellationToken.None, keeps: true).ConfigureAwait(false);
        _log.AuditEnded(
            record.Operation, record.Outcome, record.Result.Bytes, record.Result.Stopped.TotalMilliseconds, record.Result.Threads, record.Result.Strategy,
            failure.Length == 0 ? _file?.Sequence ?? 0 : 0);
    }

    /// <summary>Writes that the agent ends in order.</summary>
    internal Task StopAsync() => TryWriteAsync(new AuditLife("stop", 0, 0), CancellationToken.None);

    /// <inheritdoc/>
    public void Dispose()
    {
        _file?.Dispose();
        _turn.Dispose();
    }

    /// <returns>Empty, or why it was not written.</returns>
    private async Task<string> TryWriteAsync(IAuditRecord record, CancellationToken cancellationToken, bool keeps = false)
    {
        if (_file is null)
        {
            return string.Empty;
        }

        DateTimeOffset time = _time.GetUtcNow();
        if (!await _turn.WaitAsync(s_patience, cancellationToken).ConfigureAwait(false))
        {
            return Fail("the disk has not taken the record before for 3 s", record, time, keeps);
        }

        // A disk that hangs keeps its turn: nothing overtakes.
        var attempt = new Attempt();
        Task<string> writing = Task.Run(() => WriteInTurn(record, time, keeps, attempt), CancellationToken.None);
        try
        {
            return await writing.WaitAsync(s_patience, CancellationToken.None).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            if (!attempt.TryAbandon())
            {
                return await writing.ConfigureAwait(false);
            }

            Failures++;
            CoreliftMetrics.AuditFailures.Add(1);
            _log.AuditFailed("the disk takes longer than 3 s");
            return "the disk takes longer than 3 s";
        }
    }

    private string WriteInTurn(IAuditRecord record, DateTimeOffset time, bool keeps, Attempt attempt)
    {
        try
        {
            while (_kept.TryPeek(out (IAuditRecord Record, DateTimeOffset Time) kept))
            {
                _file!.Append(kept.Record, kept.Time, _policy.Current.AuditFileBytes);
                _ = _kept.TryDequeue(out _);
            }

            _file!.Append(record, time, _policy.Current.AuditFileBytes);
            if (!attempt.TryFinish() && record is AuditBegin { Event: "begin" } begin)
            {
                _file.Append(new AuditEnd(begin.Operation, "AUDIT_UNAVAILABLE"), time, _policy.Current.AuditFileBytes); // nobody waited for it
            }

            return string.Empty;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Fail(failure.Message, record, time, keeps);
        }
        finally
        {
            _turn.Release();
        }
    }

    private string Fail(string why, IAuditRecord record, DateTimeOffset time, bool keeps)
    {
        Failures++;
        _log.AuditFailed(AgentLog.Escape(why));
        if (keeps && _kept.Count < MostKept)
        {
            _kept.Enqueue((record, time));
        }

        return why;
    }

    private void Append(IAuditRecord record) => _file!.Append(record, _time.GetUtcNow(), _policy.Current.AuditFileBytes);

    /// <summary>A write that its caller may have given up.</summary>
    private sealed class Attempt
    {
        private int _state;

        internal bool TryFinish() => Interlocked.CompareExchange(ref _state, 1, 0) == 0;

        internal bool TryAbandon() => Interlocked.CompareExchange(ref _state, 2, 0) == 0;
    }
}
