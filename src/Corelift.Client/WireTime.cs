using Google.Protobuf.WellKnownTypes;

namespace Corelift.Client;

/// <summary>Times from the wire. An agent may send anything; a century is the most that is believed.</summary>
internal static class WireTime
{
    private const long LongestSeconds = 100L * 366 * 24 * 3600;
    private const int NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Nanoseconds, or null where the value is absent, negative, malformed or longer than a century.</summary>
    internal static long? ToNanoseconds(Duration? value) =>
        value is { Seconds: >= 0 and <= LongestSeconds, Nanos: >= 0 and < NanosecondsPerSecond }
            ? (value.Seconds * NanosecondsPerSecond) + value.Nanos
            : null;

    /// <summary>Whether a value is absent or one that <see cref="ToNanoseconds"/> takes.</summary>
    internal static bool IsSane(Duration? value) => value is null || ToNanoseconds(value) is not null;

    internal static TimeSpan? ToTimeSpan(Duration? value) =>
        ToNanoseconds(value) is { } nanoseconds ? TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick) : null;

    internal static TimeSpan ToTimeSpanOrZero(Duration? value) => ToTimeSpan(value) ?? TimeSpan.Zero;

    internal static TimeSpan FromMicroseconds(ulong microseconds) =>
        TimeSpan.FromTicks((long)Math.Min(microseconds, LongestSeconds * 1_000_000UL) * TimeSpan.TicksPerMicrosecond);
}
