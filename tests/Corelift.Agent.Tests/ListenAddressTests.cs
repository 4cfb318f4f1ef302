using Corelift.Agent.Hosting;

namespace Corelift.Agent.Tests;

public sealed class ListenAddressTests
{
    [Theory]
    [InlineData("unix:/run/corelift/agent.sock", "unix:/run/corelift/agent.sock")]
    [InlineData("unix:///run/a", "unix:/run/a")]
    [InlineData("http://127.0.0.1:7070", "http://127.0.0.1:7070")]
    [InlineData("http://127.9.9.9:1/", "http://127.9.9.9:1")]
    [InlineData("http://[::1]:7070", "http://[::1]:7070")]
    [InlineData("https://0.0.0.0:7443", "https://0.0.0.0:7443")]
    [InlineData("https://[::]:7443/", "https://[::]:7443")]
    public void Sockets_TLS_and_loopback_literals_can_be_listened_on(string text, string meant) =>
        Assert.Equal(meant, ListenAddress.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("/run/agent.sock")]
    [InlineData("unix:agent.sock")]
    [InlineData("unix:")]
    [InlineData("unix:/run/")]
    [InlineData("unix:@abstract")]
    [InlineData("http://0.0.0.0:7070")]
    [InlineData("http://[::]:7070")]
    [InlineData("http://10.0.0.1:7070")]
    [InlineData("http://localhost:7070")]
    [InlineData("http://127.0.0.1")]
    [InlineData("http://127.0.0.1:")]
    [InlineData("http://127.0.0.1:65536")]
    [InlineData("http://127.0.0.1:-1")]
    [InlineData("http://127.0.0.1:1/path")]
    [InlineData("http://user@127.0.0.1:1")]
    [InlineData("http://::1:7070")]
    [InlineData("https:127.0.0.1:7070")]
    [InlineData("https://localhost:7070")]
    [InlineData("https://0.0.0.0")]
    [InlineData("ftp://127.0.0.1:7070")]
    public void Anything_else_is_refused_with_what_to_use(string text)
    {
        StartRefusedException refusal = Assert.Throws<StartRefusedException>(() => ListenAddress.Parse(text));
        Assert.Matches("unix:|http://|absolute", refusal.Message);
    }

    [Fact]
    public void A_path_that_no_socket_can_have_is_refused() =>
        Assert.Contains("107", Assert.Throws<StartRefusedException>(() => ListenAddress.Parse("unix:/" + new string('x', 107))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("2s", 2000)]
    [InlineData("1.5m", 90_000)]
    [InlineData("24h", 86_400_000)]
    public void Times_are_read(string text, int milliseconds)
    {
        Assert.True(Quantities.TryParseTime(text, out TimeSpan time));
        Assert.Equal(milliseconds, time.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("2")]
    [InlineData("0s")]
    [InlineData("-1s")]
    [InlineData("25h")]
    [InlineData("1e9s")]
    [InlineData("s")]
    public void Other_times_are_not(string text) => Assert.False(Quantities.TryParseTime(text, out _));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("64MiB", 64L << 20)]
    [InlineData("8TiB", 8L << 40)]
    [InlineData("12B", 12)]
    public void Sizes_are_read(string text, long bytes)
    {
        Assert.True(Quantities.TryParseSize(text, out long read));
        Assert.Equal(bytes, read);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("64MB")]
    [InlineData("9999999TiB")]
    [InlineData("GiB")]
    public void Other_sizes_are_not(string text) => Assert.False(Quantities.TryParseSize(text, out _));

    [Fact]
    public void Groups_are_found_by_name_and_number()
    {
        string[] lines = ["root:x:0:", "core:x:990:a,b", "broken", "big:x:99999999999:"];
        Assert.Equal(990u, GroupFile.Find("core", lines));
        Assert.Equal(1234u, GroupFile.Find("1234", lines));
        Assert.Contains("create it", Assert.Throws<StartRefusedException>(() => GroupFile.Find("none", lines)).Message, StringComparison.Ordinal);
        Assert.Throws<StartRefusedException>(() => GroupFile.Find("big", lines));
        Assert.Throws<StartRefusedException>(() => GroupFile.Find("4294967295", lines));
    }
}
