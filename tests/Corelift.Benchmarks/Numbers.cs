using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>How numbers are written, and what is done to repeats.</summary>
internal static class Numbers
{
    /// <summary>The value below which a share of the repeats lies, by nearest rank: never one that was not measured.</summary>
    /// <param name="values">At least one.</param>
    /// <param name="share">Above 0, at most 1.</param>
    internal static TimeSpan Percentile(this IEnumerable<TimeSpan> values, double share)
    {
        TimeSpan[] sorted = [.. values.Order()];
        return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
    }

    internal static TimeSpan Median(this IEnumerable<TimeSpan> values)
    {
        TimeSpan[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    internal static TimeSpan Larger(TimeSpan one, TimeSpan other) => one > other ? one : other;

    internal static string Text(this TimeSpan value) => value switch
    {
        { TotalMilliseconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{value.TotalMilliseconds:0.00} ms"),
        { TotalSeconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{value.TotalMilliseconds:#,0.0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value.TotalSeconds:0.0} s"),
    };

    internal static string Text(this TimeSpan? value) => value?.Text() ?? "-";

    /// <summary>Bytes as megabytes of 10^6 bytes, the stricter reading of every bar.</summary>
    internal static string Megabytes(this double bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:#,0.0} MB");

    /// <summary>"1/250" where the part is that much smaller, "3.1 times" where it is larger.</summary>
    internal static string Ratio(TimeSpan whole, TimeSpan part) => (whole, part) switch
    {
        (_, { Ticks: <= 0 }) or ({ Ticks: <= 0 }, _) => "none",
        _ when part <= whole => string.Create(CultureInfo.InvariantCulture, $"1/{whole / part:#,0.#}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{part / whole:#,0.##} times"),
    };
}
