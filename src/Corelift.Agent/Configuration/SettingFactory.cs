using System.Globalization;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Configuration;

/// <summary>Makes settings of each kind and remembers them in the order in which they are made.</summary>
internal sealed class SettingFactory
{
    private readonly List<Setting> _made = [];

    internal IReadOnlyList<Setting> Made => _made;

    internal Setting<string?> Text(string name, string placeholder, string meaning, string defaultWords = "none", bool secret = false) =>
        Keep(new Setting<string?>(name, SettingKind.Text, meaning, null, ReadText) { Placeholder = placeholder, DefaultWords = defaultWords, IsSecret = secret });

    /// <summary>One that may be given several times.</summary>
    internal Setting<string?> Texts(string name, string placeholder, string meaning, string defaultWords = "none") =>
        Keep(new Setting<string?>(name, SettingKind.Text, meaning, null, ReadText) { Placeholder = placeholder, DefaultWords = defaultWords, IsList = true });

    internal Setting<string> Choice(string name, string meaning, params string[] choices) =>
        Keep(new Setting<string>(
            name,
            SettingKind.Choice,
            meaning,
            choices[0],
            (string text, out string value) => choices.Contains(value = text, StringComparer.Ordinal) ? null : $"'{text}' is none of {string.Join(", ", choices)}")
        { Placeholder = string.Join('|', choices), DefaultText = choices[0], Choices = choices });

    internal Setting<TimeSpan> Time(string name, string meaning, string fallback)
    {
        _ = Quantities.TryParseTime(fallback, out TimeSpan time);
        return Keep(new Setting<TimeSpan>(name, SettingKind.Time, meaning, time, ReadTime) { Placeholder = "TIME", DefaultText = fallback });
    }

    /// <summary>In bytes. 0 stands for what <paramref name="defaultWords"/> say.</summary>
    internal Setting<long> Size(string name, string meaning, string defaultWords) =>
        Keep(new Setting<long>(name, SettingKind.Size, meaning, 0, ReadSize) { Placeholder = "SIZE", DefaultWords = defaultWords });

    internal Setting<int> Number(string name, string meaning, int fallback, int least, int most) =>
        Keep(new Setting<int>(
            name,
            SettingKind.Number,
            meaning,
            fallback,
            (string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most
                ? null
                : $"'{text}' is no number from {least} to {most}")
        { Placeholder = "N", DefaultText = fallback.ToString(CultureInfo.InvariantCulture), Bounds = (least, most) });

    /// <summary>Off unless it is given.</summary>
    internal Setting<bool> Switch(string name, string meaning) =>
        Keep(new Setting<bool>(name, SettingKind.Switch, meaning, false, ReadSwitch) { DefaultText = "false" });

    private static string? ReadText(string text, out string? value)
    {
        value = text;
        return text.Length == 0 ? "the value is empty" : text.Contains('\0', StringComparison.Ordinal) ? "the value has a NUL in it" : null;
    }

    private static string? ReadTime(string text, out TimeSpan value) =>
        Quantities.TryParseTime(text, out value) ? null : $"'{text}' is no time: write 500ms, 2s or 1m; at most 24h";

    private static string? ReadSize(string text, out long value) =>
        Quantities.TryParseSize(text, out value) ? null : $"'{text}' is no size: write 64MiB, 2GiB or a number of bytes";

    private static string? ReadSwitch(string text, out bool value)
    {
        value = text == "true";
        return text is "true" or "false" ? null : $"'{text}' is neither true nor false";
    }

    private Setting<T> Keep<T>(Setting<T> setting)
    {
        _made.Add(setting);
        return setting;
    }
}
