using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>One figure with its bar.</summary>
internal sealed record Figure(string Name, string Ours, string Beside, string Bar, bool Passed);

/// <summary>One target through one compression.</summary>
internal sealed record CompressionRow(string Target, string Compression, TimeSpan Elapsed, ulong MemoryBytes, ulong WireBytes)
{
    /// <summary>Least time over a link of 1 Gbit/s, where the wire and the rest go on at once.</summary>
    internal TimeSpan OverGigabit => TimeSpan.FromSeconds(Math.Max(Elapsed.TotalSeconds, WireBytes / 125e6));
}

/// <summary>How numbers are written, and what is done to repeats.</summary>
internal static class Numbers
{
    internal static TimeSpan Median(this IEnumerable<TimeSpan> values)
    {
        TimeSpan[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    internal static string Text(this TimeSpan value) => value < TimeSpan.FromSeconds(10)
        ? string.Create(CultureInfo.InvariantCulture, $"{value.TotalMilliseconds:#,0.0} ms")
        : string.Create(CultureInfo.InvariantCulture, $"{value.TotalSeconds:0.0} s");

    /// <summary>Bytes as megabytes of 10^6 bytes, the stricter reading of every bar.</summary>
    internal static string Megabytes(this double bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:#,0.0} MB");

    internal static string Ratio(TimeSpan whole, TimeSpan part) => part > TimeSpan.Zero
        ? string.Create(CultureInfo.InvariantCulture, $"1/{whole / part:0.#}")
        : "none";

    internal static string Factor(TimeSpan ours, TimeSpan theirs) => string.Create(CultureInfo.InvariantCulture, $"{ours / theirs:0.00} of it");

    internal static string Range(this IReadOnlyCollection<TimeSpan> values) => $"{values.Median().Text()} ({values.Min().Text()} to {values.Max().Text()})";
}
