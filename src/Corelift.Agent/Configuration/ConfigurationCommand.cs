using System.CommandLine;
using System.CommandLine.Parsing;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Configuration;

/// <summary>The settings as flags, and <c>corelift-agent config</c>.</summary>
internal static class ConfigurationCommand
{
    private static readonly Option<string?> s_file = new("--config")
    {
        Description = $"File with settings; environment: {ConfigurationEnvironment.FileVariable}",
        HelpName = "FILE",
        Recursive = true,
    };

    private static readonly Dictionary<string, Option> s_flags = AgentSettings.All.ToDictionary(setting => setting.Name, ToFlag);

    /// <summary>A flag for each setting, and the one that names the file.</summary>
    internal static IEnumerable<Option> Flags => s_flags.Values.Prepend(s_file);

    /// <summary>What a command line, an environment and the file that one of them names set together.</summary>
    /// <exception cref="StartRefusedException">Something is unknown or wrong.</exception>
    internal static SettingValues Read(ParseResult result, IReadOnlyDictionary<string, string> environment)
    {
        var flags = new Dictionary<string, GivenValue>();
        foreach ((string name, Option option) in s_flags)
        {
            if (result.GetResult(option) is { Implicit: false } given)
            {
                flags[name] = new GivenValue(given.Tokens.Count == 0 ? ["true"] : [.. given.Tokens.Select(token => token.Value)], option.Name);
            }
        }

        string? path = result.GetValue(s_file) ?? environment.GetValueOrDefault(ConfigurationEnvironment.FileVariable);
        return new SettingValues(
            flags, ConfigurationEnvironment.Read(environment), string.IsNullOrEmpty(path) ? new Dictionary<string, GivenValue>() : ConfigurationFile.Read(path));
    }

    /// <summary>The command <c>config</c> with its subcommands; <paramref name="read"/> gives what holds.</summary>
    internal static Command Build(Func<ParseResult, SettingValues> read)
    {
        var show = new Command("show", "Print what is set and where it comes from, as a configuration file");
        show.SetAction((result, _) => PrintAsync(result, () => ConfigurationPages.Show(read(result))));
        var schema = new Command("schema", "Print the JSON schema of the configuration file");
        schema.SetAction((result, _) => PrintAsync(result, ConfigurationSchema.Write));
        var reference = new Command("reference", "Print all settings as a page of Markdown");
        reference.SetAction((result, _) => PrintAsync(result, () => ConfigurationPages.Reference().TrimEnd('\n')));
        return new Command("config", "Look at the configuration") { show, schema, reference };
    }

    private static async Task<int> PrintAsync(ParseResult result, Func<string> write)
    {
        try
        {
            await result.InvocationConfiguration.Output.WriteLineAsync(write()).ConfigureAwait(false);
            return ExitCodes.Ok;
        }
        catch (StartRefusedException refusal)
        {
            await result.InvocationConfiguration.Error.WriteLineAsync("corelift-agent: " + refusal.Message).ConfigureAwait(false);
            return ExitCodes.Configuration;
        }
    }

    private static Option ToFlag(Setting setting)
    {
        string description = $"{setting.Meaning} [default: {setting.DefaultText ?? setting.DefaultWords}]";
        Option flag = setting switch
        {
            { Kind: SettingKind.Switch } => new Option<bool>(setting.Flag) { Description = setting.Meaning, Recursive = true },
            { IsList: true } => new Option<string[]>(setting.Flag) { Description = description, HelpName = setting.Placeholder, Recursive = true },
            _ => new Option<string>(setting.Flag) { Description = description, HelpName = setting.Placeholder, Recursive = true },
        };
        flag.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                if (setting.FindProblem(token.Value) is { } problem)
                {
                    result.AddError($"{setting.Flag}: {problem}");
                }
            }
        });
        return flag;
    }
}
