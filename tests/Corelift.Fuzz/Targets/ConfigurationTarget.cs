using System.Text;
using Corelift.Agent.Configuration;
using Corelift.Agent.Hosting;
using Corelift.Fuzz.Engine;

namespace Corelift.Fuzz.Targets;

/// <summary>Configuration files, and the values in them.</summary>
internal sealed class ConfigurationTarget : IFuzzTarget
{
    public static string Name => "configuration";

    public static IReadOnlyList<string> Words =>
        [.. AgentSettings.All.Select(setting => $"\"{setting.Name}\":"), "\"2s\"", "\"64MiB\"", "\"unix:/x\"", "\"https://[::]:1\"", "true", "null", "// x\n", "/*", "\\ud800", "{", "}", "[", "]", ",", "1e400", "\"0777\"", "\uFEFF"];

    public static IEnumerable<byte[]> Seeds =>
        [Encoding.UTF8.GetBytes("""{ "$schema": "x", "listen": ["unix:/run/a.sock", "https://127.0.0.1:1"], "nice": 3, "max-lease": "1.5m", "spool-bytes": "64MiB", "kubernetes": "off", "allow-authenticated": true, /* c */ "socket-mode": "0660", }""")];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        try
        {
            SettingValues values = new([ConfigurationFile.Parse(input, "file")]);
            _ = (values.Get(AgentSettings.Nice), values.Get(AgentSettings.MaxLease), values.Get(AgentSettings.SpoolBytes), values.GetAll(AgentSettings.Listen).Count);
        }
        catch (StartRefusedException)
        {
            // What is documented.
        }
    }
}
