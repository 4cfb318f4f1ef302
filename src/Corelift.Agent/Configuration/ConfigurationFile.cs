using System.Globalization;
using System.Text.Json;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Configuration;

/// <summary>Settings from a file: one JSON object, comments and trailing commas allowed, keys as the flags without hyphens in front.</summary>
internal static class ConfigurationFile
{
    private const int MaxBytes = 1024 * 1024;
    private const string SchemaKey = "$schema"; // for editors

    /// <exception cref="StartRefusedException">The file cannot be read, or holds anything but known settings of the right type.</exception>
    internal static Dictionary<string, GivenValue> Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxBytes)
            {
                throw new StartRefusedException($"{path} is larger than {MaxBytes} bytes: that is no configuration");
            }

            if ((File.GetUnixFileMode(path) & UnixFileMode.OtherWrite) != 0)
            {
                throw new StartRefusedException($"{path} can be written by everybody, who then could set up this agent: chmod o-w it");
            }

            return Parse(File.ReadAllBytes(path), path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException($"cannot read the configuration {path}: {failure.Message}");
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="path">For messages.</param>
    /// <exception cref="StartRefusedException">As of <see cref="Read"/>; the message names the line.</exception>
    internal static Dictionary<string, GivenValue> Parse(ReadOnlySpan<byte> json, string path)
    {
        json = json.StartsWith("\uFEFF"u8) ? json[3..] : json;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 8 });
        var given = new Dictionary<string, GivenValue>();
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw Refuse(path, json, ref reader, "must be one object, in braces");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                ReadSetting(path, json, ref reader, given);
            }

            return reader.Read() ? throw Refuse(path, json, ref reader, "goes on after its object") : given;
        }
        catch (JsonException failure)
        {
            throw new StartRefusedException(string.Create(CultureInfo.InvariantCulture, $"{path}, line {(failure.LineNumber ?? 0) + 1}: this is no JSON: {failure.Message}"));
        }
        catch (InvalidOperationException failure)
        {
            throw Refuse(path, json, ref reader, "this is no text: " + failure.Message); // a lone surrogate
        }
    }

    private static void ReadSetting(string path, ReadOnlySpan<byte> json, ref Utf8JsonReader reader, Dictionary<string, GivenValue> given)
    {
        string name = reader.GetString()!;
        if (name == SchemaKey)
        {
            _ = reader.Read();
            reader.Skip();
            return;
        }

        Setting setting = SettingNames.Find(name) ?? throw Refuse(
            path, json, ref reader, $"there is no setting '{name}'{SettingNames.Meant(name, AgentSettings.All.Select(known => known.Name))}");
        if (given.ContainsKey(name))
        {
            throw Refuse(path, json, ref reader, $"'{name}' stands here a second time");
        }

        string origin = Place(path, json, ref reader);
        _ = reader.Read();
        var texts = new List<string>();
        if (setting.IsList && reader.TokenType == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                texts.Add(ReadValue(path, json, ref reader, setting));
            }
        }
        else
        {
            texts.Add(ReadValue(path, json, ref reader, setting));
        }

        given[name] = new GivenValue(texts, origin);
    }

    private static string ReadValue(string path, ReadOnlySpan<byte> json, ref Utf8JsonReader reader, Setting setting) => (setting.Kind, reader.TokenType) switch
    {
        (SettingKind.Text or SettingKind.Choice or SettingKind.Time or SettingKind.Size, JsonTokenType.String) => reader.GetString()!,
        (SettingKind.Size or SettingKind.Number, JsonTokenType.Number) when reader.TryGetInt64(out long number) => number.ToString(CultureInfo.InvariantCulture),
        (SettingKind.Switch, JsonTokenType.True) => "true",
        (SettingKind.Switch, JsonTokenType.False) => "false",
        _ => throw Refuse(path, json, ref reader, $"{setting.Name} takes {Wanted(setting)}, not {Found(reader.TokenType)}"),
    };

    private static string Wanted(Setting setting) => setting.Kind switch
    {
        SettingKind.Time => "a time in quotes, such as \"2s\"",
        SettingKind.Size => "a size in quotes, such as \"64MiB\", or a number of bytes",
        SettingKind.Number => $"a whole number from {setting.Bounds.Least} to {setting.Bounds.Most}",
        SettingKind.Switch => "true or false",
        SettingKind.Choice => $"one of {string.Join(", ", setting.Choices)}, in quotes",
        _ when setting.IsList => "a text in quotes, or a list of them in brackets",
        _ => "a text in quotes",
    };

    private static string Found(JsonTokenType type) => type switch
    {
        JsonTokenType.String => "a text",
        JsonTokenType.Number => "this number",
        JsonTokenType.True or JsonTokenType.False => "true or false",
        JsonTokenType.Null => "null (leave the line out)",
        JsonTokenType.StartArray => "a list",
        _ => "an object",
    };

    private static StartRefusedException Refuse(string path, ReadOnlySpan<byte> json, ref Utf8JsonReader reader, string what) =>
        new($"{Place(path, json, ref reader)}: {what}");

    private static string Place(string path, ReadOnlySpan<byte> json, ref Utf8JsonReader reader) =>
        string.Create(CultureInfo.InvariantCulture, $"{path}, line {json[..(int)reader.TokenStartIndex].Count((byte)'\n') + 1}");
}
