using System.Text;
using System.Text.Json;

namespace Corelift.Agent.Checking;

/// <summary>The report as people and as programs read it.</summary>
internal static class CheckOutput
{
    /// <summary>0 all is well, 1 it works with limits, 2 it cannot work.</summary>
    internal static int ExitCode(IReadOnlyList<CheckLine> lines) => (int)lines.Max(line => line.State);

    /// <summary>A table; the remedy stands below its line.</summary>
    internal static string ToTable(IReadOnlyList<CheckLine> lines)
    {
        int width = lines.Max(line => line.Name.Length);
        var text = new StringBuilder();
        foreach (CheckLine line in lines)
        {
            text.Append(Word(line.State).PadRight(9)).Append(line.Name.PadRight(width + 2)).Append(line.Found).Append('\n');
            if (line.Remedy.Length > 0)
            {
                text.Append(' ', 9).Append(' ', width + 2).Append("-> ").Append(line.Remedy).Append('\n');
            }
        }

        return text.Append('\n').Append(Verdict(lines)).Append('\n').ToString();
    }

    /// <summary>One object: verdict, exit code, and the lines.</summary>
    internal static string ToJson(IReadOnlyList<CheckLine> lines)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteString("verdict", Verdict(lines));
            json.WriteNumber("exit_code", ExitCode(lines));
            json.WriteString("version", AgentVersion.Text);
            json.WriteStartArray("checks");
            foreach (CheckLine line in lines)
            {
                json.WriteStartObject();
                json.WriteString("name", line.Name);
                json.WriteString("state", Word(line.State));
                json.WriteString("found", line.Found);
                json.WriteString("remedy", line.Remedy);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static string Verdict(IReadOnlyList<CheckLine> lines) => ExitCode(lines) switch
    {
        0 => "the agent works here",
        1 => "the agent works here, with limits",
        _ => "the agent cannot work here",
    };

    private static string Word(CheckState state) => state switch
    {
        CheckState.Ok => "ok",
        CheckState.Limited => "limited",
        _ => "FAILED",
    };
}
