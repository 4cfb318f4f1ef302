using System.CommandLine;
using System.Text;
using System.Text.Json;
using Corelift.Agent.Configuration;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Tests;

/// <summary>Flags, environment, file, schema and documentation are one.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Flags_schema_and_documentation_name_the_same_settings()
    {
        string[] names = [.. AgentSettings.All.Select(setting => setting.Name)];
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.All(names, name => Assert.Matches("^[a-z]+(-[a-z]+)*$", name));
        Assert.All(AgentSettings.All, setting => Assert.True(setting.DefaultText is null || setting.FindProblem(setting.DefaultText) is null, setting.Name));

        IEnumerable<string> flags = AgentCommand.Build().Options.Select(option => option.Name).Where(name => name is not ("--help" or "--version" or "--config"));
        Assert.Equal(names.Select(name => "--" + name), flags);

        using JsonDocument schema = JsonDocument.Parse(ConfigurationSchema.Write());
        Assert.False(schema.RootElement.GetProperty("additionalProperties").GetBoolean());
        Assert.Equal(["$schema", .. names], schema.RootElement.GetProperty("properties").EnumerateObject().Select(property => property.Name));

        // To renew it after a change that is meant: corelift-agent config reference > src/Corelift.Agent/SETTINGS.md
        Assert.Equal(ConfigurationPages.Reference(), File.ReadAllText(Path.Combine(Root(), "src/Corelift.Agent/SETTINGS.md")));
    }

    [Fact]
    public void Flags_win_over_the_environment_and_that_over_the_file()
    {
        File.WriteAllText(_file, """
            {
              "$schema": "./schema.json", // for the editor
              "nice": 1, "max-captures": 1, "max-lease": "1s", /* a time */
              "listen": ["unix:/f/a", "unix:/f/b"],
              "spool-bytes": 4096,
            }
            """);
        Dictionary<string, string> environment = new() { ["CORELIFT_AGENT_NICE"] = "2", ["CORELIFT_AGENT_MAX_CAPTURES"] = "2", ["CORELIFT_AGENT_MAX_HOLD"] = "" };
        SettingValues values = Read(environment, "--config", _file, "--nice", "3");
        Assert.Equal((3, 2, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2), 4096L), (
            values.Get(AgentSettings.Nice), values.Get(AgentSettings.MaxCaptures), values.Get(AgentSettings.MaxLease), values.Get(AgentSettings.MaxHold), values.Get(AgentSettings.SpoolBytes)));
        Assert.Equal(["unix:/f/a", "unix:/f/b"], values.GetAll(AgentSettings.Listen));
        Assert.Equal("/f", AgentCommand.Read(values).StateDirectory);

        // The file may be named by the environment, too; a list has commas there.
        values = Read(new() { ["CORELIFT_AGENT_CONFIG"] = _file, ["CORELIFT_AGENT_LISTEN"] = "unix:/e/a, unix:/e/b" });
        Assert.Equal(["unix:/e/a", "unix:/e/b"], values.GetAll(AgentSettings.Listen));
        Assert.Equal($"{_file}, line 3", values.Find(AgentSettings.Nice)?.Origin);
        Assert.Null(values.Find(AgentSettings.LogFormat));
    }

    [Fact]
    public void What_is_shown_is_a_configuration_that_means_the_same()
    {
        SettingValues values = Read(new() { ["CORELIFT_AGENT_NICE"] = "7" }, "--listen", "unix:/a \"b\"\\c", "--max-lease", "9s", "--log-format", "json");
        string shown = ConfigurationPages.Show(values);
        Assert.Contains("\"nice\": 7, // CORELIFT_AGENT_NICE\n", shown, StringComparison.Ordinal);
        Assert.Contains("\"max-lease\": \"9s\", // --max-lease\n", shown, StringComparison.Ordinal);
        Assert.Contains("\"max-captures\": 32, // default\n", shown, StringComparison.Ordinal);
        Assert.Contains("// spool-directory is not set: none", shown, StringComparison.Ordinal);
        var again = new SettingValues(ConfigurationFile.Parse(Encoding.UTF8.GetBytes(shown), "x"));
        Assert.All(AgentSettings.All, setting => Assert.Equal(values.Find(setting)?.Texts ?? (setting.DefaultText is { } text ? [text] : null), again.Find(setting)?.Texts));
    }

    [Theory]
    [InlineData("{\n\"max-leese\": \"1s\" }", "f, line 2: there is no setting 'max-leese'; did you mean 'max-lease'?")]
    [InlineData("{ \"quite-another-thing\": 1 }", "f, line 1: there is no setting 'quite-another-thing'")]
    [InlineData("{\n\n\"max-lease\":\n 1 }", "f, line 4: max-lease takes a time in quotes, such as \"2s\", not this number")]
    [InlineData("{ \"nice\": \"1\" }", "f, line 1: nice takes a whole number from 0 to 19, not a text")]
    [InlineData("{ \"nice\": 1.5 }", "nice takes a whole number")]
    [InlineData("{ \"nice\": 20 }", "f, line 1: nice: '20' is no number from 0 to 19")]
    [InlineData("{ \"nice\": 1, \n \"nice\": 2 }", "f, line 2: 'nice' stands here a second time")]
    [InlineData("{ \"log-format\": \"xml\" }", "log-format: 'xml' is none of text, json")]
    [InlineData("{ \"log-format\": null }", "takes one of text, json, in quotes, not null (leave the line out)")]
    [InlineData("{ \"listen\": [1] }", "listen takes a text in quotes, or a list of them in brackets, not this number")]
    [InlineData("{ \"spool-bytes\": true }", "spool-bytes takes a size in quotes")]
    [InlineData("{ \"spool-bytes\": -1 }", "'-1' is no size")]
    [InlineData("{ \"socket-group\": \"\" }", "the value is empty")]
    [InlineData("{ \"nice\": {} }", "not an object")]
    [InlineData("[]", "f, line 1: must be one object, in braces")]
    [InlineData("{\n \"nice\": 1\n", "f, line 3: this is no JSON")]
    [InlineData("{} {}", "this is no JSON")]
    [InlineData("", "this is no JSON")]
    [InlineData("{ \"socket-group\": \"\\ud800\" }", "this is no text")]
    public void A_file_that_is_wrong_is_refused_with_the_line(string text, string message) => Assert.Contains(
        message, Assert.Throws<StartRefusedException>(() => new SettingValues(ConfigurationFile.Parse(Encoding.UTF8.GetBytes(text), "f"))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("CORELIFT_AGENT_MAX_LEESE", "1s", "did you mean 'CORELIFT_AGENT_MAX_LEASE'?")]
    [InlineData("CORELIFT_AGENT_NICE", "many", "CORELIFT_AGENT_NICE: nice: 'many' is no number from 0 to 19")]
    public void A_wrong_variable_is_refused(string variable, string value, string message) =>
        Assert.Contains(message, Assert.Throws<StartRefusedException>(() => Read(new() { [variable] = value })).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("CORELIFT_AGENT")]
    [InlineData("CORELIFT_AGENT_SERVICE_HOST")]
    [InlineData("CORELIFT_AGENT_SERVICE_PORT_GRPC")]
    [InlineData("CORELIFT_AGENT_PORT")]
    [InlineData("CORELIFT_AGENT_PORT_7443_TCP_ADDR")]
    [InlineData("CORELIFT_AGENT_METRICS_PORT_9090_TCP")]
    public void What_Kubernetes_puts_into_the_environment_for_a_service_of_that_name_is_none_of_ours(string variable) =>
        Assert.All(AgentSettings.All, setting => Assert.Null(Read(new() { [variable] = "tcp://10.0.0.1:7443" }).Find(setting)));

    [Fact]
    public void A_file_that_everybody_can_write_or_nobody_can_read_is_refused()
    {
        Assert.Contains("cannot read", Assert.Throws<StartRefusedException>(() => ConfigurationFile.Read(_file)).Message, StringComparison.Ordinal);
        File.WriteAllText(_file, "{}");
        Assert.Empty(ConfigurationFile.Read(_file));
        File.SetUnixFileMode(_file, (UnixFileMode)0b110_110_110);
        Assert.Contains("chmod o-w", Assert.Throws<StartRefusedException>(() => ConfigurationFile.Read(_file)).Message, StringComparison.Ordinal);
        File.SetUnixFileMode(_file, (UnixFileMode)0b110_000_000);
        File.WriteAllBytes(_file, new byte[(1024 * 1024) + 1]);
        Assert.Contains("larger", Assert.Throws<StartRefusedException>(() => ConfigurationFile.Read(_file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_is_in_a_file_is_read_or_refused()
    {
        byte[] sound = Encoding.UTF8.GetBytes(ConfigurationPages.Show(Read([])));
        var random = new Random(4);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] text = [.. sound.Take(random.Next(sound.Length + 1))];
            for (int change = random.Next(4); change > 0 && text.Length > 0; change--)
            {
                text[random.Next(text.Length)] = (byte)random.Next(256);
            }

            if (Record.Exception(() => new SettingValues(ConfigurationFile.Parse(text, "f"))) is { } failure)
            {
                Assert.IsType<StartRefusedException>(failure);
            }
        }
    }

    private static SettingValues Read(Dictionary<string, string> environment, params string[] args)
    {
        ParseResult result = AgentCommand.Build().Parse(args);
        Assert.Empty(result.Errors);
        return ConfigurationCommand.Read(result, environment);
    }

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Agent.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no Agent.sln above the tests");
        }

        return folder;
    }
}
