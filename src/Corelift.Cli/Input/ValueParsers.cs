using System.CommandLine.Parsing;
using System.Globalization;

namespace Corelift.Cli.Input;

/// <summary>Reads durations, sizes, addresses and choices; each says what it would have taken.</summary>
internal static class ValueParsers
{
    private static readonly (string Unit, double Ticks)[] s_durations =
    [
        ("ms", TimeSpan.TicksPerMillisecond),
        ("us", TimeSpan.TicksPerMicrosecond),
        ("s", TimeSpan.TicksPerSecond),
        ("m", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour),
    ];

    private static readonly (string Unit, ulong Factor)[] s_sizes =
    [
        ("KiB", 1UL << 10),
        ("MiB", 1UL << 20),
        ("GiB", 1UL << 30),
        ("TiB", 1UL << 40),
        ("B", 1),
        ("", 1),
    ];

    /// <summary>Makes a parser of System.CommandLine of one that throws <see cref="FormatException"/>.</summary>
    internal static Func<ArgumentResult, T?> Of<T>(string option, Func<string, T> parse) => result =>
    {
        string text = result.Tokens.Count > 0 ? result.Tokens[^1].Value : "";
        try
        {
            return parse(text);
        }
        catch (FormatException problem)
        {
            result.AddError($"{option}: {problem.Message}");
            return default;
        }
    };

    /// <summary>"500ms", "2s", "1.5m", "1h", "250us"; not negative, at most a day.</summary>
    internal static TimeSpan Duration(string text)
    {
        foreach ((string unit, double ticks) in s_durations)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && double.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
                && value * ticks <= TimeSpan.TicksPerDay)
            {
                return TimeSpan.FromTicks((long)(value * ticks));
            }
        }

        throw new FormatException($"'{text}' is no duration up to a day; write for example 500ms, 2s or 1m");
    }

    /// <summary>"4096", "64KiB", "1MiB", "2GiB".</summary>
    internal static ulong Size(string text)
    {
        foreach ((string unit, ulong factor) in s_sizes)
        {
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase)
                && ulong.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
                && value <= ulong.MaxValue / factor)
            {
                return value * factor;
            }
        }

        throw new FormatException($"'{text}' is no size; write for example 4096, 64KiB, 512MiB or 2GiB");
    }

    /// <summary>A size for each second, "/s" or not. 0 is no rate: it would mean none of the agent's limits.</summary>
    internal static ulong Rate(string text) =>
        Size(text.EndsWith("/s", StringComparison.Ordinal) ? text[..^2] : text) is > 0 and var rate
            ? rate
            : throw new FormatException("nothing at all would be read; write for example 200MiB");

    /// <summary>"0x7f00dead0000", or decimal.</summary>
    internal static ulong Address(string text)
    {
        bool isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ulong.TryParse(
            isHex ? text.AsSpan(2) : text, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw new FormatException($"'{text}' is no address; write for example 0x7f00dead0000");
    }

    /// <summary>A length of memory: a size, or hexadecimal digits after 0x.</summary>
    internal static ulong Length(string text) =>
        text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? Address(text) : Size(text);

    /// <summary>One of some words.</summary>
    internal static Func<string, T> Choice<T>(params (string Word, T Value)[] choices) => text =>
    {
        foreach ((string word, T value) in choices)
        {
            if (word == text)
            {
                return value;
            }
        }

        throw new FormatException($"'{text}' is none of {string.Join(", ", choices.Select(choice => choice.Word))}");
    };
}
