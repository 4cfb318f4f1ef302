using System.Globalization;
using Corelift.Agent.Access.Policy;
using Corelift.Linux;

namespace Corelift.Agent.Access;

/// <summary>A limit of the policy is reached.</summary>
internal sealed class QuotaException(string message, TimeSpan? retryAfter) : Exception(message)
{
    /// <summary>When to try again; null where waiting does not help.</summary>
    internal TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>Counts what identities and targets have had, and refuses what is above the policy's limits. Forgets at the agent's end.</summary>
internal sealed class Quotas(TimeProvider time)
{
    private const int PruneAbove = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Usage> _identities = new(StringComparer.Ordinal);
    private readonly Dictionary<ProcessRef, Usage> _targets = [];
    private readonly long _began = time.GetTimestamp();

    private TimeSpan Now => time.GetElapsedTime(_began) + TimeSpan.FromHours(2); // windows reach back

    /// <summary>Number of identities and targets that are remembered.</summary>
    internal int TrackedCount
    {
        get
        {
            lock (_lock)
            {
                return _identities.Count + _targets.Count;
            }
        }
    }

    /// <summary>Begins something.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="target">To what.</param>
    /// <param name="policy">The limits.</param>
    /// <param name="stops">Whether it stops the target; false for what is read while it is stopped already.</param>
    /// <exception cref="QuotaException">A limit is reached.</exception>
    internal QuotaTicket Begin(Caller caller, ProcessRef target, AccessPolicy policy, bool stops)
    {
        lock (_lock)
        {
            Prune();
            Usage ofCaller = Get(_identities, caller.Kind + "/" + caller.Name);
            Usage ofTarget = Get(_targets, target);
            TimeSpan now = Now;
            Check(ofCaller, policy.PerIdentity, caller.Name, stops, now);
            Check(ofTarget, policy.PerTarget, string.Create(CultureInfo.InvariantCulture, $"process {target.Pid}"), stops, now);
            if (stops)
            {
                ofCaller.Begin(now);
                ofTarget.Begin(now);
            }

            return new QuotaTicket(this, ofCaller, ofTarget, caller, target, policy, stops);
        }
    }

    internal void RequireBytes(QuotaTicket ticket, long bytes)
    {
        lock (_lock)
        {
            CheckBytes(ticket.OfCaller, ticket.Policy.PerIdentity, ticket.Caller.Name, bytes, Now);
            CheckBytes(ticket.OfTarget, ticket.Policy.PerTarget, string.Create(CultureInfo.InvariantCulture, $"process {ticket.Target.Pid}"), bytes, Now);
        }
    }

    /// <summary>Stopped time that is left in this minute; null for any.</summary>
    internal TimeSpan? StoppedTimeLeft(QuotaTicket ticket, TimeSpan running)
    {
        lock (_lock)
        {
            TimeSpan? Left(Usage usage, RateLimits limits) =>
                limits.StoppedPerMinute is { } most ? most - TimeSpan.FromTicks(usage.Stopped.Sum(Now)) - running : null;

            TimeSpan? ofCaller = Left(ticket.OfCaller, ticket.Policy.PerIdentity);
            TimeSpan? ofTarget = Left(ticket.OfTarget, ticket.Policy.PerTarget);
            return ofCaller is null || ofTarget < ofCaller ? ofTarget ?? ofCaller : ofCaller;
        }
    }

    internal void Add(QuotaTicket ticket, TimeSpan stopped, long bytes)
    {
        lock (_lock)
        {
            foreach (Usage usage in (Usage[])[ticket.OfCaller, ticket.OfTarget])
            {
                usage.Stopped.Add(Now, stopped.Ticks);
                usage.Bytes.Add(Now, bytes);
            }
        }
    }

    internal void End(QuotaTicket ticket)
    {
        lock (_lock)
        {
            ticket.OfCaller.End(Now, ticket.HasStopped);
            ticket.OfTarget.End(Now, ticket.HasStopped);
        }
    }

    private static Usage Get<TKey>(Dictionary<TKey, Usage> usages, TKey key)
        where TKey : notnull
    {
        if (!usages.TryGetValue(key, out Usage? usage))
        {
            usages.Add(key, usage = new Usage());
        }

        return usage;
    }

    private static void Check(Usage usage, RateLimits limits, string whose, bool stops, TimeSpan now)
    {
        CheckBytes(usage, limits, whose, 0, now);
        if (!stops)
        {
            return;
        }

        if (limits.AtOnce is { } atOnce && usage.AtOnce >= atOnce)
        {
            throw new QuotaException(Say($"{whose} has {usage.AtOnce} stops and captures under way, and may have {atOnce}"), TimeSpan.FromSeconds(1));
        }

        if (limits.CoolDown is { } rest && usage.LastEnd is { } last && now - last < rest)
        {
            throw new QuotaException(Say($"{whose} is to be left alone for {rest.TotalSeconds:0.###} s after a stop or capture"), rest - (now - last));
        }

        if (limits.StopsPerMinute is { } stopsPerMinute && usage.Stops.Sum(now) >= stopsPerMinute)
        {
            throw new QuotaException(
                Say($"{whose} has had its {stopsPerMinute} stops of this minute"), stopsPerMinute == 0 ? null : usage.Stops.UntilAtMost(now, stopsPerMinute - 1));
        }

        if (limits.StoppedPerMinute is { } stopped && usage.Stopped.Sum(now) >= stopped.Ticks)
        {
            throw new QuotaException(
                Say($"{whose} has had its {stopped.TotalMilliseconds:0.###} ms of stopped time of this minute"), usage.Stopped.UntilAtMost(now, stopped.Ticks - 1));
        }
    }

    private static void CheckBytes(Usage usage, RateLimits limits, string whose, long wanted, TimeSpan now)
    {
        if (limits.BytesPerHour is not { } most)
        {
            return;
        }

        long had = usage.Bytes.Sum(now);
        if (wanted > most)
        {
            throw new QuotaException(Say($"this is {wanted} bytes, and {whose} may have {most} in an hour: capture less"), null);
        }

        if (had >= most || wanted > most - had)
        {
            throw new QuotaException(
                Say($"{whose} has had {had} of its {most} bytes of this hour"), most == 0 ? null : usage.Bytes.UntilAtMost(now, most - Math.Max(1, wanted)));
        }
    }

    private static string Say(FormattableString text) => FormattableString.Invariant(text);

    private void Prune()
    {
        if (_identities.Count + _targets.Count <= PruneAbove)
        {
            return;
        }

        TimeSpan now = Now;
        foreach (string key in _identities.Where(pair => pair.Value.IsIdle(now)).Select(pair => pair.Key).ToArray())
        {
            _identities.Remove(key);
        }

        foreach (ProcessRef key in _targets.Where(pair => pair.Value.IsIdle(now)).Select(pair => pair.Key).ToArray())
        {
            _targets.Remove(key);
        }
    }

    /// <summary>What one identity or target has had.</summary>
    internal sealed class Usage
    {
        private static readonly TimeSpan s_longestCoolDown = TimeSpan.FromDays(1);

        internal SlidingSum Stops { get; } = new(TimeSpan.FromMinutes(1));

        internal SlidingSum Stopped { get; } = new(TimeSpan.FromMinutes(1));

        internal SlidingSum Bytes { get; } = new(TimeSpan.FromHours(1));

        internal int AtOnce { get; private set; }

        internal TimeSpan? LastEnd { get; private set; }

        internal void Begin(TimeSpan now)
        {
            AtOnce++;
            Stops.Add(now, 1);
        }

        /// <param name="now">Time.</param>
        /// <param name="stopped">Whether anybody was stopped: what was refused begins no cool-down.</param>
        internal void End(TimeSpan now, bool stopped)
        {
            AtOnce--;
            LastEnd = stopped ? now : LastEnd;
        }

        internal bool IsIdle(TimeSpan now) =>
            AtOnce == 0 && Bytes.Sum(now) == 0 && Stops.Sum(now) == 0 && (LastEnd is not { } last || now - last > s_longestCoolDown);
    }
}

/// <summary>One stop, capture or memory read, as the quotas count it.</summary>
internal sealed class QuotaTicket(Quotas quotas, Quotas.Usage ofCaller, Quotas.Usage ofTarget, Caller caller, ProcessRef target, AccessPolicy policy, bool stops) : IDisposable
{
    private int _ended;

    internal Quotas.Usage OfCaller { get; } = ofCaller;

    internal Quotas.Usage OfTarget { get; } = ofTarget;

    internal Caller Caller { get; } = caller;

    internal ProcessRef Target { get; } = target;

    internal AccessPolicy Policy { get; } = policy;

    /// <summary>Whether bytes are limited at all.</summary>
    internal bool LimitsBytes => Policy.PerIdentity.BytesPerHour is not null || Policy.PerTarget.BytesPerHour is not null;

    /// <exception cref="QuotaException">So many bytes would be above a limit.</exception>
    internal void RequireBytes(long bytes) => quotas.RequireBytes(this, bytes);

    /// <summary>Stopped time that is left, where <paramref name="running"/> of it has not been counted yet; null for any.</summary>
    internal TimeSpan? StoppedTimeLeft(TimeSpan running) => quotas.StoppedTimeLeft(this, running);

    /// <summary>Counts what was had.</summary>
    internal void Add(TimeSpan stopped, long bytes)
    {
        HasStopped |= stopped > TimeSpan.Zero;
        quotas.Add(this, stopped, bytes);
    }

    /// <summary>Whether the target was stopped.</summary>
    internal bool HasStopped { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (stops && Interlocked.Exchange(ref _ended, 1) == 0)
        {
            quotas.End(this);
        }
    }
}
