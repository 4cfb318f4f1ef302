namespace Corelift.Client.Tests;

public sealed class AgentAddressTests
{
    [Theory]
    [InlineData("unix:/run/a.sock", "/run/a.sock")]
    [InlineData("unix:///run/a.sock", "/run/a.sock")]
    [InlineData("UNIX:/run/a.sock", "/run/a.sock")]
    [InlineData("/run/a.sock", "/run/a.sock")]
    public void A_socket_can_be_written_in_three_ways(string text, string path)
    {
        AgentAddress address = AgentAddress.Parse(text);

        Assert.Equal(path, address.SocketPath);
        Assert.Equal($"unix:{path}", address.ToString());
    }

    [Theory]
    [InlineData("http://127.0.0.1:7070", "http://127.0.0.1:7070")]
    [InlineData("https://node-1:7443/", "https://node-1:7443")]
    [InlineData("http://[::1]:7070", "http://[::1]:7070")]
    public void A_host_and_a_port_are_an_address(string text, string shown)
    {
        AgentAddress address = AgentAddress.Parse(text);

        Assert.Null(address.SocketPath);
        Assert.Equal(shown, address.ToString());
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("unix:", "absolute path")]
    [InlineData("unix:agent.sock", "absolute path")]
    [InlineData("unix://host/agent.sock", "names a host")]
    [InlineData("unix:/", "absolute path")]
    [InlineData("agent.sock", "no address")]
    [InlineData("ftp://host:21", "no address")]
    [InlineData("localhost:7070", "no address")]
    [InlineData("http://host:7070/path", "more than a host")]
    [InlineData("http://user@host:7070", "more than a host")]
    public void Anything_else_is_refused_with_the_reason(string text, string reason)
    {
        FormatException failure = Assert.Throws<FormatException>(() => AgentAddress.Parse(text));

        Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_path_too_long_for_a_socket_is_refused()
    {
        Assert.False(AgentAddress.TryParse("/" + new string('a', 107), out _, out string? problem));
        Assert.Contains("107 bytes", problem, StringComparison.Ordinal);
    }
}
