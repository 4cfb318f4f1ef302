using System.Text;
using System.Text.Json;

namespace Corelift.Cli;

/// <summary>One JSON object on stdout.</summary>
internal static class JsonOutput
{
    private static readonly JsonWriterOptions s_options = new() { Indented = true };

    internal static void Print(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, s_options))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        Console.Out.WriteLine(Encoding.UTF8.GetString(buffer.ToArray()));
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

    /// <summary>A message as its canonical JSON, inside the object.</summary>
    internal static void WriteMessage(this Utf8JsonWriter writer, string name, Google.Protobuf.IMessage message)
    {
        writer.WritePropertyName(name);
        writer.WriteRawValue(Google.Protobuf.JsonFormatter.Default.Format(message));
    }
}
