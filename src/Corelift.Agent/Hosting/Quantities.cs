using System.Globalization;

namespace Corelift.Agent.Hosting;

/// <summary>Times and sizes as the command line writes them.</summary>
internal static class Quantities
{
    private static readonly (string Suffix, double Seconds)[] s_times = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)];

    private static readonly (string Suffix, long Bytes)[] s_sizes =
        [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("B", 1), ("", 1)];

    /// <summary>Reads "500ms", "2s", "1.5m"; above zero, up to a day.</summary>
    internal static bool TryParseTime(string text, out TimeSpan time)
    {
        foreach ((string suffix, double seconds) in s_times)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal)
                && double.TryParse(text[..^suffix.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
                && number * seconds is > 0 and <= 86400)
            {
                time = TimeSpan.FromSeconds(number * seconds);
                return true;
            }
        }

        time = default;
        return false;
    }

    /// <summary>Reads "64MiB", "2GiB", "1048576"; not negative.</summary>
    internal static bool TryParseSize(string text, out long bytes)
    {
        foreach ((string suffix, long unit) in s_sizes)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal)
                && long.TryParse(text[..^suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out long number)
                && number <= long.MaxValue / unit)
            {
                bytes = number * unit;
                return true;
            }
        }

        bytes = 0;
        return false;
    }
}
