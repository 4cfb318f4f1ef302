using System.CommandLine;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Tls;
using Corelift.Agent.Hosting;
using Corelift.Linux.Processes;

namespace Corelift.Agent.Tests;

public sealed class AgentCommandTests
{
    [Fact]
    public void Options_hold_with_and_without_the_word_serve()
    {
        string[] options = ["--listen", "unix:/a/s", "--listen", "http://127.0.0.1:1", "--allow-anonymous-loopback", "--max-stop-budget", "5s", "--spool-bytes", "1GiB", "--max-captures", "3"];
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

    [Theory]
    [InlineData("--allow-anonymous-loopback", "--listen", "http://127.0.0.1:1")]
    [InlineData("--tls-certificate FILE and --tls-key FILE", "--listen", "https://0.0.0.0:1")]
    [InlineData("--tls-certificate FILE and --tls-key FILE", "--listen", "https://0.0.0.0:1", "--tls-certificate", "/c", "--client-ca", "/a")]
    [InlineData("nobody could say who calls", "--listen", "https://0.0.0.0:1", "--tls-certificate", "/c", "--tls-key", "/k")]
    [InlineData("add --listen https://ADDRESS:PORT", "--tls-certificate", "/c", "--tls-key", "/k", "--client-ca", "/a")]
    [InlineData("tokens made for any other service would be taken", "--oidc-issuer", "https://a.example.org")]
    [InlineData("is no https URL", "--oidc-issuer", "http://a.example.org", "--oidc-audience", "x")]
    [InlineData("is no https URL", "--oidc-issuer", "https://a.example.org?x", "--oidc-audience", "x")]
    [InlineData("without --oidc-issuer", "--oidc-audience", "x")]
    [InlineData("give one of them", "--allow-authenticated", "--policy", "/p")]
    [InlineData("is no mode for a socket", "--socket-mode", "0770")]
    [InlineData("is no mode for a socket", "--socket-mode", "0060")]
    [InlineData("is no mode for a socket", "--socket-mode", "rw")]
    public void Doors_that_would_stand_open_or_lead_nowhere_are_refused_with_the_remedy(string message, params string[] args) =>
        Assert.Contains(message, Assert.Throws<StartRefusedException>(() => Read(args)).Message, StringComparison.Ordinal);

    [Fact]
    public void Doors_are_read()
    {
        AgentOptions read = Read(
            "--listen", "https://0.0.0.0:1", "--tls-certificate", "/c", "--tls-key", "/k", "--client-ca", "/a", "--socket-mode", "0600",
            "--oidc-issuer", "https://a.example.org/x", "--oidc-audience", "one", "--oidc-audience", "two", "--allow-authenticated", "--health-without-identity");
        Assert.Equal(new TlsFiles("/c", "/k", "/a"), read.Tls);
        Assert.Equal((UnixFileMode)0b110_000_000, read.SocketMode);
        Assert.Equal(new DoorRules(AllowAuthenticated: true, HealthWithoutIdentity: true), read.Doors);
        Assert.Equal("https://a.example.org/x", read.Oidc!.Issuer);
        Assert.Equal(["one", "two"], read.Oidc.Audiences);
        Assert.Equal(new DoorRules(false, false), Read().Doors);
    }

    private static AgentOptions Read(params string[] args)
    {
        ParseResult result = AgentCommand.Build().Parse(args);
        Assert.Empty(result.Errors);
        return AgentCommand.Read(result);
    }
}
