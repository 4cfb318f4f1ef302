namespace Corelift.EndToEnd.Tests;

/// <summary>The command line over TLS: what it needs, and what it says when something is wrong.</summary>
public sealed class TlsCliTests : IAsyncLifetime
{
    private TlsAgent _agent = null!;

    private string Cert => _agent.Folder.File("me.crt");

    private string Key => _agent.Folder.File("me.key");

    public async Task InitializeAsync()
    {
        _agent = await TlsAgent.StartAsync("--allow-authenticated");
        _agent.Ca.IssueClient().WriteTo(Cert, Key);
    }

    public async Task DisposeAsync()
    {
        _agent.Agent.AssertCleanLog();
        await _agent.DisposeAsync();
    }

    [Fact]
    public async Task A_snapshot_comes_over_TLS_with_options_or_with_variables()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "16", "--threads", "2");
        string core = _agent.Folder.File("x.core");
        (await Cli.RunAsync(_agent.Address, ["snapshot", $"{target.Pid}", "-o", core, .. Files])).Checked();
        (await Cli.RunAsync((string?)null, "verify", core)).Checked();
        Dictionary<string, string> environment = new()
        {
            ["CORELIFT_AGENT"] = $"https://localhost:{_agent.Port}",
            ["CORELIFT_CA"] = _agent.ClientCaFile,
            ["CORELIFT_CERT"] = Cert,
            ["CORELIFT_KEY"] = Key,
        };
        Assert.Contains("canary", (await Command.RunAsync(Artifacts.Cli, ["ps"], environment)).Checked().Output, StringComparison.Ordinal);
        environment["CORELIFT_SERVER_NAME"] = "another.example.org";
        CommandResult refused = await Command.RunAsync(Artifacts.Cli, ["ps"], environment);
        Assert.Equal(3, refused.ExitCode);
        Assert.Contains("not for 'another.example.org'", refused.Errors, StringComparison.Ordinal);
        await target.CheckAsync();
    }

    [Theory]
    [InlineData("no CA", "--ca or CORELIFT_CA")]
    [InlineData("another CA", "is from none of the CAs in")]
    [InlineData("no such CA file", "none.pem")]
    [InlineData("CA file without certificates", "holds no certificate")]
    [InlineData("no certificate", "ended the connection right after the TLS handshake")]
    [InlineData("certificate of another CA", "ended the connection right after the TLS handshake")]
    [InlineData("expired certificate", "ended the connection right after the TLS handshake")]
    [InlineData("another key", "holds no private key")]
    [InlineData("key alone", "no certificate to go with it")]
    [InlineData("plain port", "TLS 1.3 with HTTP/2 could not be agreed on")]
    public async Task What_is_wrong_is_said_with_the_file_to_look_at(string wrong, string said)
    {
        using TestCa other = new("Other CA");
        string otherCa = _agent.Folder.File("other.crt"), empty = _agent.Folder.File("empty.pem");
        await File.WriteAllTextAsync(otherCa, other.Pem);
        await File.WriteAllTextAsync(empty, "nothing");
        string[] arguments = wrong switch
        {
            "no CA" => ["--cert", Cert, "--key", Key],
            "another CA" => ["--ca", otherCa, "--cert", Cert, "--key", Key],
            "no such CA file" => ["--ca", _agent.Folder.File("none.pem")],
            "CA file without certificates" => ["--ca", empty],
            "no certificate" => ["--ca", _agent.ClientCaFile],
            "key alone" => ["--ca", _agent.ClientCaFile, "--key", Key],
            _ => Files,
        };
        switch (wrong)
        {
            case "certificate of another CA": other.IssueClient().WriteTo(Cert, Key); break;
            case "expired certificate": _agent.Ca.IssueClient(validFor: TimeSpan.FromHours(-1)).WriteTo(Cert, Key); break;
            case "another key": await File.WriteAllTextAsync(Key, _agent.Ca.IssueClient().Key); break;
        }

        string address = _agent.Address;
        using System.Net.Sockets.TcpListener plain = new(System.Net.IPAddress.Loopback, 0);
        if (wrong == "plain port")
        {
            plain.Start();
            address = $"https://127.0.0.1:{((System.Net.IPEndPoint)plain.LocalEndpoint).Port}";
            _ = AnswerAsync(plain);
        }

        CommandResult result = await Cli.RunAsync(address, ["ps", .. arguments]);
        Assert.Contains(said, result.Errors, StringComparison.Ordinal);
        Assert.Equal(3, result.ExitCode);
        Assert.DoesNotContain('\n', result.Errors.TrimEnd());
    }

    [Fact]
    public async Task An_agent_whose_certificate_has_expired_meanwhile_is_not_trusted()
    {
        await using TlsAgent brief = await TlsAgent.StartAsync("--allow-authenticated");
        TestCertificate server = brief.Ca.IssueServer(TimeSpan.FromSeconds(3));
        server.WriteTo(brief.CertificateFile, brief.KeyFile);
        brief.Ca.IssueClient().WriteTo(Cert, Key);
        await Wait.UntilAsync(() => DateTimeOffset.UtcNow > server.NotAfter.AddSeconds(1), Wait.Soon, "its end");
        CommandResult result = await Cli.RunAsync(brief.Address, "ps", "--ca", brief.ClientCaFile, "--cert", Cert, "--key", Key);
        Assert.Contains("expired or not valid yet", result.Errors, StringComparison.Ordinal);
        Assert.Equal(3, result.ExitCode);
    }

    [Fact]
    public async Task A_token_goes_over_a_Unix_socket_and_never_over_plain_TCP()
    {
        using TestIssuer issuer = new("https://issuer.example.org");
        string keys = _agent.Folder.File("jwks.json"), token = _agent.Folder.File("token");
        await File.WriteAllTextAsync(keys, TestIssuer.KeySet(issuer));
        await File.WriteAllTextAsync(token, issuer.Issue() + "\n");
        await using AgentProcess agent = await AgentProcess.StartAsync(new AgentOptions
        {
            Arguments = ["--oidc-issuer", issuer.Issuer, "--oidc-audience", TestIssuer.Audience, "--oidc-jwks-file", keys, "--socket-mode", "0666"],
        });

        // With a token its identity is the token's, here one without rights; without it the peer's, here root.
        CommandResult byToken = await Cli.RunAsync(agent, "ps", "--token-file", token);
        Assert.Equal(4, byToken.ExitCode);
        Assert.Contains("oidc:alice@https://issuer.example.org is known", byToken.Errors, StringComparison.Ordinal);
        (await Cli.RunAsync(agent, "ps")).Checked();
        await File.WriteAllTextAsync(token, "two words");
        Assert.Contains("does not hold one token", (await Cli.RunAsync(agent, "ps", "--token-file", token)).Errors, StringComparison.Ordinal);
        CommandResult plain = await Cli.RunAsync("http://127.0.0.1:1", "ps", "--token-file", token);
        Assert.Contains("use https or a Unix socket", plain.Errors, StringComparison.Ordinal);
        Assert.Equal(4, plain.ExitCode);
        agent.AssertCleanLog();
    }

    private static async Task AnswerAsync(System.Net.Sockets.TcpListener listener)
    {
        using System.Net.Sockets.TcpClient client = await listener.AcceptTcpClientAsync();
        await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray());
        _ = await client.GetStream().ReadAsync(new byte[1]);
    }

    private string[] Files => ["--ca", _agent.ClientCaFile, "--cert", Cert, "--key", Key];
}
