using System.Text;
using System.Text.Encodings.Web;

namespace Corelift.Agent.Configuration;

/// <summary>What <c>config show</c> and <c>config reference</c> print.</summary>
internal static class ConfigurationPages
{
    private const string Masked = "***";

    private const string Introduction = """
        # Settings of corelift-agent

        Each can be given as a flag, as an environment variable (`CORELIFT_AGENT_` and the name in capitals, `_` for `-`; lists
        with commas; empty counts as absent), or as a key of the file that `--config FILE` or `CORELIFT_AGENT_CONFIG` names. Flags
        win over the environment, and that over the file. Nothing else of the environment is looked at, but for what Kubernetes,
        systemd and OpenTelemetry (`OTEL_`) set, and no file is looked for. What is unknown or wrong is refused, with the line, and with
        the name that may have been meant.

        The file is a JSON object; comments and trailing commas are allowed:

        ```json
        {
          // one key for each setting below
          "listen": ["unix:/run/corelift/agent.sock"],
          "max-stop-budget": "5s",
          "spool-bytes": "1GiB",
          "max-captures": 8,
        }
        ```

        `corelift-agent config show` prints what holds and where it comes from, in the form of such a file; `config schema` prints
        a JSON schema for editors and checks; `config reference` prints this page. Times are written `500ms`, `2s`, `1m`; sizes
        `64MiB`, `2GiB`, or as a number of bytes.

        | setting | meaning | default |
        |---|---|---|
        """;

    /// <summary>What holds, with where it comes from; itself a configuration file, but for masked values.</summary>
    internal static string Show(SettingValues values)
    {
        var page = new StringBuilder("{\n");
        foreach (Setting setting in AgentSettings.All)
        {
            GivenValue? given = values.Find(setting);
            if (given is null && setting.DefaultText is null)
            {
                _ = page.Append($"  // {setting.Name} is not set: {setting.DefaultWords}\n");
                continue;
            }

            IReadOnlyList<string> texts = given?.Texts ?? [setting.DefaultText!];
            string[] shown = [.. texts.Select(text => setting.IsSecret ? Quote(Masked) : setting.Kind is SettingKind.Number or SettingKind.Switch ? text : Quote(text))];
            _ = page.Append($"  \"{setting.Name}\": {(setting.IsList ? $"[{string.Join(", ", shown)}]" : shown[^1])}, // {given?.Origin ?? "default"}\n");
        }

        return page.Append('}').ToString();
    }

    /// <summary>SETTINGS.md.</summary>
    internal static string Reference()
    {
        var page = new StringBuilder(Introduction.ReplaceLineEndings("\n")).Append('\n');
        foreach (Setting setting in AgentSettings.All)
        {
            string value = setting.Placeholder is null ? string.Empty : " " + setting.Placeholder.Replace("|", "\\|", StringComparison.Ordinal);
            string bounds = setting.Kind == SettingKind.Number ? $" ({setting.Bounds.Least} to {setting.Bounds.Most})" : string.Empty;
            _ = page.Append($"| `{setting.Flag}`{value} | {setting.Meaning}{bounds} | {(setting.DefaultText is { } text ? $"`{text}`" : setting.DefaultWords)} |\n");
        }

        return page.ToString();
    }

    private static string Quote(string text) => $"\"{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(text)}\"";
}
