using System.Collections;
using System.Text.RegularExpressions;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Configuration;

/// <summary>Settings from environment variables. Variables of other names are not looked at.</summary>
internal static partial class ConfigurationEnvironment
{
    /// <summary>Names the configuration file.</summary>
    internal const string FileVariable = Setting.VariablePrefix + "CONFIG";

    /// <summary>This process's environment.</summary>
    internal static IReadOnlyDictionary<string, string> OfProcess() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? string.Empty);

    /// <summary>What variables set. An empty one counts as absent; a list has commas between its values.</summary>
    /// <exception cref="StartRefusedException">A variable begins as a setting's does and is none.</exception>
    internal static Dictionary<string, GivenValue> Read(IReadOnlyDictionary<string, string> environment)
    {
        var given = new Dictionary<string, GivenValue>();
        foreach ((string variable, string text) in environment.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (!variable.StartsWith(Setting.VariablePrefix, StringComparison.Ordinal) || variable == FileVariable || text.Length == 0)
            {
                continue;
            }

            if (AgentSettings.All.FirstOrDefault(setting => setting.Variable == variable) is { } setting)
            {
                given[setting.Name] = new GivenValue(setting.IsList ? text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [text], variable);
            }
            else if (!ServiceLink().IsMatch(variable))
            {
                throw new StartRefusedException(
                    $"the environment variable {variable} is no setting{SettingNames.Meant(variable, AgentSettings.All.Select(known => known.Variable))} "
                    + "('corelift-agent config reference' lists them)");
            }
        }

        return given;
    }

    // What Kubernetes puts into every pod of a namespace that has a service named corelift-agent (enableServiceLinks).
    [GeneratedRegex("^CORELIFT_AGENT_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$")]
    private static partial Regex ServiceLink();
}
