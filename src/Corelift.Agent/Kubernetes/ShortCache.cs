namespace Corelift.Agent.Kubernetes;

/// <summary>
/// Remembers answers for a short time, a bounded number of them. Who asks for the same thing at the same time shares one
/// question; a failure is shared, too, and not remembered.
/// </summary>
/// <param name="capacity">Most answers.</param>
/// <param name="clock">Tells the time.</param>
internal sealed class ShortCache<TKey, TValue>(int capacity, TimeProvider clock)
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, Entry> _entries = [];

    /// <summary>How many it holds.</summary>
    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>The remembered answer, or a new one.</summary>
    /// <param name="key">What is asked.</param>
    /// <param name="ask">Asks. Runs to its end even where everybody who waits for it gives up, so it has a bound of its own.</param>
    /// <param name="lifetime">For how long an answer is remembered, from its coming on; zero or less for not at all.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    internal async ValueTask<TValue> GetAsync(
        TKey key, Func<Task<TValue>> ask, Func<TValue, TimeSpan> lifetime, CancellationToken cancellationToken)
    {
        Task<TValue> answer;
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out Entry? entry) || entry.IsOver(clock))
            {
                MakeRoom();
                entry = new Entry();
                entry.Answer = AskAsync(key, entry, ask, lifetime);
                _entries[key] = entry;
            }

            answer = entry.Answer!;
        }

        return await answer.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<TValue> AskAsync(TKey key, Entry entry, Func<Task<TValue>> ask, Func<TValue, TimeSpan> lifetime)
    {
        TimeSpan remembered = TimeSpan.Zero;
        try
        {
            await Task.Yield(); // the caller holds the lock
            TValue answer = await ask().ConfigureAwait(false);
            remembered = lifetime(answer);
            return answer;
        }
        finally
        {
            lock (_gate)
            {
                entry.Ends = clock.GetTimestamp() + (long)(remembered.TotalSeconds * clock.TimestampFrequency);
                if (remembered <= TimeSpan.Zero && _entries.TryGetValue(key, out Entry? own) && own == entry)
                {
                    _entries.Remove(key);
                }
            }
        }
    }

    /// <summary>What is over goes first, then whichever is nearest its end; questions under way stay.</summary>
    private void MakeRoom()
    {
        if (_entries.Count < capacity)
        {
            return;
        }

        foreach ((TKey key, Entry entry) in _entries)
        {
            if (entry.IsOver(clock))
            {
                _entries.Remove(key);
            }
        }

        foreach ((TKey key, _) in _entries.Where(entry => entry.Value.Ends != long.MaxValue).OrderBy(entry => entry.Value.Ends).Take((_entries.Count - capacity) + 1).ToList())
        {
            _entries.Remove(key);
        }
    }

    private sealed class Entry
    {
        internal Task<TValue>? Answer { get; set; }

        /// <summary>When it is over; while it is asked, never.</summary>
        internal long Ends { get; set; } = long.MaxValue;

        internal bool IsOver(TimeProvider clock) => Ends <= clock.GetTimestamp();
    }
}
