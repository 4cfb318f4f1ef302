using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Corelift.Agent.Configuration;

/// <summary>The schema of the configuration file (JSON Schema, draft 2020-12), made from <see cref="AgentSettings"/>.</summary>
internal static class ConfigurationSchema
{
    private static readonly JsonWriterOptions s_form = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal static string Write()
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, s_form))
        {
            json.WriteStartObject();
            json.WriteString("$schema", "https://json-schema.org/draft/2020-12/schema");
            json.WriteString("title", "Configuration of corelift-agent");
            json.WriteString("type", "object");
            json.WriteBoolean("additionalProperties", false);
            json.WriteStartObject("properties");
            json.WriteStartObject("$schema");
            json.WriteString("type", "string");
            json.WriteEndObject();
            foreach (Setting setting in AgentSettings.All)
            {
                WriteSetting(json, setting);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void WriteSetting(Utf8JsonWriter json, Setting setting)
    {
        json.WriteStartObject(setting.Name);
        json.WriteString("description", $"{setting.Meaning}. Default: {setting.DefaultText ?? setting.DefaultWords}.");
        if (setting.IsList)
        {
            json.WriteStartArray("oneOf");
            json.WriteStartObject();
            WriteType(json, setting);
            json.WriteEndObject();
            json.WriteStartObject();
            json.WriteString("type", "array");
            json.WriteStartObject("items");
            WriteType(json, setting);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndArray();
        }
        else
        {
            WriteType(json, setting);
        }

        json.WriteEndObject();
    }

    private static void WriteType(Utf8JsonWriter json, Setting setting)
    {
        switch (setting.Kind)
        {
            case SettingKind.Number:
                json.WriteString("type", "integer");
                json.WriteNumber("minimum", setting.Bounds.Least);
                json.WriteNumber("maximum", setting.Bounds.Most);
                break;
            case SettingKind.Switch:
                json.WriteString("type", "boolean");
                break;
            case SettingKind.Size:
                json.WriteStartArray("type");
                json.WriteStringValue("string");
                json.WriteStringValue("integer");
                json.WriteEndArray();
                json.WriteString("pattern", "^[0-9]+(B|KiB|MiB|GiB|TiB)?$");
                json.WriteNumber("minimum", 0);
                break;
            case SettingKind.Time:
                json.WriteString("type", "string");
                json.WriteString("pattern", @"^[0-9]*\.?[0-9]+(ms|s|m|h)$");
                break;
            case SettingKind.Choice:
                json.WriteStartArray("enum");
                setting.Choices.ToList().ForEach(json.WriteStringValue);
                json.WriteEndArray();
                break;
            default:
                json.WriteString("type", "string");
                json.WriteNumber("minLength", 1);
                break;
        }
    }
}
