namespace Corelift.Agent.Access;

/// <summary>The sum of amounts of a window of time that ends now. Counts each amount for a little longer than the window, never shorter.</summary>
/// <param name="window">Length of the window.</param>
internal sealed class SlidingSum(TimeSpan window)
{
    private const int Buckets = 60;

    private readonly long[] _sums = new long[Buckets];
    private readonly long[] _slots = new long[Buckets];
    private readonly long _slotTicks = window.Ticks / (Buckets - 1);

    /// <summary>Adds an amount.</summary>
    internal void Add(TimeSpan now, long amount)
    {
        long slot = now.Ticks / _slotTicks;
        int index = (int)(slot % Buckets);
        if (_slots[index] != slot)
        {
            (_slots[index], _sums[index]) = (slot, 0);
        }

        _sums[index] = Math.Min(long.MaxValue - amount, _sums[index]) + amount;
    }

    /// <summary>The sum.</summary>
    internal long Sum(TimeSpan now)
    {
        long oldest = (now.Ticks / _slotTicks) - Buckets + 1;
        long sum = 0;
        for (int i = 0; i < Buckets; i++)
        {
            sum = _slots[i] >= oldest ? Math.Min(long.MaxValue - _sums[i], sum) + _sums[i] : sum;
        }

        return sum;
    }

    /// <summary>Time until the sum is at most <paramref name="most"/>, where nothing is added.</summary>
    internal TimeSpan UntilAtMost(TimeSpan now, long most)
    {
        long slot = now.Ticks / _slotTicks;
        long sum = Sum(now);
        for (long oldest = slot - Buckets + 1; oldest <= slot && sum > most; oldest++)
        {
            int index = (int)(((oldest % Buckets) + Buckets) % Buckets);
            sum -= _slots[index] == oldest ? _sums[index] : 0;
            if (sum <= most)
            {
                return TimeSpan.FromTicks(((oldest + Buckets) * _slotTicks) - now.Ticks);
            }
        }

        return TimeSpan.Zero;
    }
}
