using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace Corelift.Cli.Output;

/// <summary>Sizes and times as people read them.</summary>
internal static class Units
{
    private static readonly string[] s_sizes = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    internal static string Size(double bytes)
    {
        int unit = 0;
        while (bytes >= 1024 && unit < s_sizes.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{Number(bytes, whole: unit == 0)} {s_sizes[unit]}");
    }

    internal static string Time(TimeSpan time) => time.TotalMicroseconds switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMicroseconds:0} µs"),
        < 1_000_000 => $"{Number(time.TotalMilliseconds)} ms",
        < 120_000_000 => $"{Number(time.TotalSeconds)} s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0.0} min"),
    };

    internal static TimeSpan FromNanoseconds(long nanoseconds) => TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);

    internal static TimeSpan? FromWire(Duration? duration) =>
        duration is { Seconds: >= 0 and < 1_000_000_000, Nanos: >= 0 and < 1_000_000_000 }
            ? TimeSpan.FromTicks((duration.Seconds * TimeSpan.TicksPerSecond) + (duration.Nanos / TimeSpan.NanosecondsPerTick))
            : null;

    /// <summary>"1 thread", "2 threads".</summary>
    internal static string Count(long count, string noun) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:#,0} {noun}{(count == 1 ? "" : "s")}");

    internal static string Shorten(string text, int length) => text.Length <= length ? text : text[..(length - 3)] + "...";

    private static string Number(double value, bool whole = false) => (whole ? 0 : value) switch
    {
        _ when whole || value >= 100 => value.ToString("0", CultureInfo.InvariantCulture),
        < 10 => value.ToString("0.00", CultureInfo.InvariantCulture),
        _ => value.ToString("0.0", CultureInfo.InvariantCulture),
    };
}
