using System.CommandLine;
using Corelift.Agent.Hosting;
using Corelift.Linux.Processes;

namespace Corelift.Agent.Tests;

public sealed class AgentCommandTests
{
    [Fact]
    public void Options_hold_with_and_without_the_word_serve()
    {
        string[] options = ["--listen", "unix:/a/s", "--listen", "http://127.0.0.1:1", "--max-stop-budget", "5s", "--spool-bytes", "1GiB", "--max-captures", "3"];
        foreach (string[] args in (string[][])[options, ["serve", .. options]])
        {
            AgentOptions read = Read(args);
            Assert.Equal(["unix:/a/s", "http://127.0.0.1:1"], read.Listen.Select(address => address.ToString()));
            Assert.Equal(("/a", TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(2), 1L << 30, 3), (read.StateDirectory, read.MaxStopBudget, read.DefaultStopBudget, read.SpoolBytes, read.MaxCaptures));
        }
    }

    [Fact]
    public void Without_options_the_defaults_hold()
    {
        AgentOptions read = Read();
        Assert.EndsWith("/agent.sock", Assert.Single(read.Listen).Path, StringComparison.Ordinal);
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2), 0L, 32), (read.MaxStopBudget, read.MaxLease, read.MaxHold, read.SpoolBytes, read.MaxCaptures));
        Assert.Null(read.SocketGroup);
    }

    [Theory]
    [InlineData("--max-captures", "0")]
    [InlineData("--max-captures", "x")]
    [InlineData("--default-stop-budget", "fast")]
    [InlineData("--spool-bytes", "-1")]
    [InlineData("--log-format", "xml")]
    [InlineData("--unknown", "1")]
    [InlineData("--nice", "1", "--nice", "2")]
    [InlineData("--listen")]
    public void Wrong_values_are_said_to_be_wrong(params string[] args) => Assert.NotEmpty(AgentCommand.Build().Parse(args).Errors);

    [Fact]
    public void An_architecture_whose_system_calls_it_does_not_know_is_refused()
    {
        StartChecks.RequireKnownArchitecture(System.Runtime.InteropServices.Architecture.X64);
        StartRefusedException refusal = Assert.Throws<StartRefusedException>(() => StartChecks.RequireKnownArchitecture(System.Runtime.InteropServices.Architecture.Arm64));
        Assert.Contains("Arm64", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_capability_is_named_with_the_remedy()
    {
        StartChecks.RequireCapabilities(CapabilitySet.SysPtrace | CapabilitySet.SysNice);
        string message = Assert.Throws<StartRefusedException>(() => StartChecks.RequireCapabilities(CapabilitySet.SysPtrace)).Message;
        Assert.Contains("cannot work without CAP_SYS_NICE.", message, StringComparison.Ordinal);
        Assert.All(["AmbientCapabilities", "setcap", "setpriv", "Kubernetes"], (string remedy) => Assert.Contains(remedy, message, StringComparison.Ordinal));
        Assert.True(StartChecks.FindExtra(StartChecks.Needed | CapabilitySet.DacReadSearch).IsEmpty);
        Assert.Equal("CAP_SYS_ADMIN", StartChecks.FindExtra(StartChecks.Needed | new CapabilitySet(1UL << 21)).ToString());
    }

    private static AgentOptions Read(params string[] args)
    {
        ParseResult result = AgentCommand.Build().Parse(args);
        Assert.Empty(result.Errors);
        return AgentCommand.Read(result);
    }
}
