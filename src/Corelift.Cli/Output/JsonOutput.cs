using System.Text;
using System.Text.Json;

namespace Corelift.Cli.Output;

/// <summary>Writes one JSON object and a line end; characters outside ASCII are escaped, so no terminal is harmed.</summary>
internal static class JsonOutput
{
    private static readonly JsonWriterOptions s_options = new() { Indented = true };

    internal static void Print(TextWriter output, Action<Utf8JsonWriter> members)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer, s_options))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        output.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    internal static void WriteStrings(this Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (string value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }

    internal static void WriteMicroseconds(this Utf8JsonWriter writer, string name, TimeSpan? time)
    {
        if (time is { } value)
        {
            writer.WriteNumber(name, (long)Math.Round(value.TotalMicroseconds));
        }
        else
        {
            writer.WriteNull(name);
        }
    }

    internal static void WriteHex(this Utf8JsonWriter writer, string name, ulong value) => writer.WriteString(name, $"0x{value:x}");
}
