using YamlDotNet.RepresentationModel;

namespace Corelift.Packaging.Tests;

/// <summary>What the containers of the chart are started with is what the programs of this repository understand.</summary>
public sealed class ChartFlagsTests
{
    [Fact]
    public async Task Every_flag_that_a_container_is_given_is_one_of_the_agents()
    {
        Dictionary<string, string> help = new()
        {
            ["serve"] = (await Command.RunAsync(Artifacts.Agent, ["serve", "--help"])).Checked().Output,
            ["supervisor"] = (await Command.RunAsync(Artifacts.Agent, ["supervisor", "--help"])).Checked().Output,
        };
        int seen = 0;
        foreach (string setup in Helm.Setups)
        {
            foreach (Manifest workload in Manifests.Parse(await Helm.RenderAsync(setup)).Where(manifest => manifest.Kind is "DaemonSet" or "Deployment"))
            {
                foreach (YamlMappingNode container in workload.Containers.Where(pair => pair.Key.StartsWith("corelift", StringComparison.Ordinal)).Select(pair => pair.Value))
                {
                    string[] arguments = container.Texts("args");
                    Assert.All(arguments[1..], argument => Assert.Contains(argument.Split('=')[0] + " ", help[arguments[0]].Replace(',', ' '), StringComparison.Ordinal));
                    seen += arguments.Length - 1;
                }
            }
        }

        Assert.InRange(seen, 50, int.MaxValue);
    }

    [Theory]
    [InlineData("ps", "--agent", "--server-name", "--ca", "--cert", "--key")]
    [InlineData("snapshot", "--output")]
    public async Task The_clients_flags_that_the_notes_name_exist(string command, params string[] flags)
    {
        string help = (await Command.RunAsync(Artifacts.Cli, [command, "--help"])).Checked().Output;
        Assert.All(flags, flag => Assert.Contains(flag + " ", help, StringComparison.Ordinal));
    }
}
