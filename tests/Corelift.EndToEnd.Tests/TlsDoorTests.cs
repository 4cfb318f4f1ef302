using System.Security.Authentication;
using Corelift.V1;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Who gets in through the TLS door, and who does not.</summary>
public sealed class TlsDoorTests
{
    private static readonly string[] s_allow = ["--allow-authenticated"];

    /// <summary>Certificates that must not do, each with what the agent's log says of it.</summary>
    public static TheoryData<string> Wrong => ["none", "another CA", "expired", "not yet valid", "for servers", "TLS 1.2"];

    [Fact]
    public async Task A_client_certificate_of_the_CA_is_let_in_and_named_in_the_refusal_where_it_has_no_rights()
    {
        await using TlsAgent agent = await TlsAgent.StartAsync();
        foreach ((string[] uris, string name) in ((string[], string)[])[([], "cert:CN=alice,O=Example"), (["spiffe://example.org/ns/ops/sa/alice"], "spiffe://example.org/ns/ops/sa/alice")])
        {
            using GrpcChannel channel = agent.Connect(agent.Ca.IssueClient(uris: uris));
            Assert.All(await CallAllAsync(channel), failure => Assert.Equal((StatusCode.PermissionDenied, "NO_RIGHTS"), (failure.Code, failure.Reason)));
            RpcException refusal = (await AllMethods.CallAsync(channel, AllMethods.List[0]))!;
            Assert.StartsWith(name + " is known", refusal.Status.Detail, StringComparison.Ordinal);
        }

        agent.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task Every_method_is_denied_without_an_identity_and_with_a_wrong_token()
    {
        using TestIssuer issuer = new("https://issuer.example.org");
        using ScratchFolder keys = new();
        await using TlsAgent agent = await StartWithIssuerAsync(issuer, keys, "--allow-authenticated");
        Assert.True(AllMethods.List.Count >= 15, "the contract's, health's and reflection's");
        using (GrpcChannel nobody = agent.Connect(null))
        {
            Assert.All(await CallAllAsync(nobody), failure => Assert.Equal((StatusCode.Unauthenticated, "NO_IDENTITY"), (failure.Code, failure.Reason)));
        }

        using TestIssuer stranger = new(issuer.Issuer);
        string[] wrong =
        [
            "Bearer", "Basic YTpi", "Bearer x", "Bearer a.b.c", "Bearer " + new string('a', 4000),
            "Bearer " + issuer.Issue(claims => claims["exp"] = TestIssuer.At(TimeSpan.FromMinutes(-1))),
            "Bearer " + issuer.Issue(claims => claims["nbf"] = TestIssuer.At(TimeSpan.FromMinutes(5))),
            "Bearer " + issuer.Issue(claims => claims.Remove("exp")),
            "Bearer " + issuer.IssueUnsigned(),
            "Bearer " + issuer.IssueByPublicKey(),
            "Bearer " + issuer.Issue(claims => claims["aud"] = "kubernetes"),
            "Bearer " + issuer.Issue(claims => claims.Remove("aud")),
            "Bearer " + issuer.Issue(claims => claims["iss"] = "https://evil.example.org"),
            "Bearer " + issuer.Issue(claims => claims.Remove("sub")),
            "Bearer " + stranger.Issue(), // the right key id, another key
            "Bearer " + issuer.Issue()[..^4] + "AAAA",
        ];
        foreach (string token in wrong)
        {
            using GrpcChannel channel = agent.Connect(null, token: token);
            Assert.All(await CallAllAsync(channel), failure => Assert.Equal((StatusCode.Unauthenticated, "TOKEN_REFUSED"), (failure.Code, failure.Reason)));
        }

        using GrpcChannel known = agent.Connect(null, token: "Bearer " + issuer.Issue());
        Assert.NotEmpty((await new ProcessService.ProcessServiceClient(known).ListProcessesAsync(new ListProcessesRequest())).Processes);

        // A token over plain TCP is refused even where everybody may call: there, others can read it.
        agent.Agent.AssertCleanLog();
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Connections_that_prove_nothing_are_cut_off(string wrong)
    {
        await using TlsAgent agent = await TlsAgent.StartAsync(s_allow);
        using TestCa other = new("Test CA");
        TestCertificate? shown = wrong switch
        {
            "none" => null,
            "another CA" => other.IssueClient(),
            "expired" => agent.Ca.IssueClient(validFor: TimeSpan.FromHours(-1)),
            "not yet valid" => agent.Ca.IssueClient(notBefore: DateTimeOffset.UtcNow.AddHours(1)),
            "for servers" => agent.Ca.IssueClient(forServers: true),
            _ => agent.Ca.IssueClient(),
        };
        using (GrpcChannel channel = agent.Connect(shown, wrong == "TLS 1.2" ? SslProtocols.Tls12 : SslProtocols.None))
        {
            Assert.All(await CallAllAsync(channel, 3), failure => Assert.True(failure.Code is StatusCode.Unavailable or StatusCode.Internal, $"{failure}"));
        }

        if (wrong != "TLS 1.2")
        {
            await Wait.UntilAsync(() => agent.Agent.Log.Contains("refused a connection of", StringComparison.Ordinal), Wait.Soon, "a line in the log");
        }

        using GrpcChannel good = agent.Connect(agent.Ca.IssueClient());
        Assert.NotEmpty((await new ProcessService.ProcessServiceClient(good).ListProcessesAsync(new ListProcessesRequest())).Processes);
        agent.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task OpenSSL_gets_TLS_1_3_alone_and_nothing_but_HTTP_2()
    {
        await using TlsAgent agent = await TlsAgent.StartAsync(s_allow);
        string[] connect = ["s_client", "-connect", $"127.0.0.1:{agent.Port}", "-CAfile", agent.ClientCaFile, "-verify_hostname", "localhost", "-brief"];
        CommandResult now = await Command.RunAsync("openssl", [.. connect, "-tls1_3", "-alpn", "h2"]);
        Assert.Contains("TLSv1.3", now.Output + now.Errors, StringComparison.Ordinal);
        Assert.Contains("Verification: OK", now.Output + now.Errors, StringComparison.Ordinal);
        CommandResult old = await Command.RunAsync("openssl", [.. connect, "-tls1_2", "-alpn", "h2"]);
        Assert.Contains("alert protocol version", old.Output + old.Errors, StringComparison.Ordinal);
        CommandResult http1 = await Command.RunAsync("openssl", [.. connect, "-tls1_3", "-alpn", "http/1.1"]);
        Assert.NotEqual(0, http1.ExitCode);
        CommandResult plain = await Command.RunAsync("curl", ["-sS", "--max-time", "10", "--http2-prior-knowledge", $"http://127.0.0.1:{agent.Port}/"]);
        Assert.NotEqual(0, plain.ExitCode);
        agent.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task Health_answers_without_identity_only_where_that_was_asked_for_and_nothing_else_does()
    {
        using TestIssuer issuer = new("https://issuer.example.org");
        using ScratchFolder keys = new();
        await using TlsAgent agent = await StartWithIssuerAsync(issuer, keys, "--health-without-identity");
        using GrpcChannel nobody = agent.Connect(null);
        foreach (MethodDescriptor method in AllMethods.List.Where(method => !(method.Service.FullName == "grpc.health.v1.Health" && method.IsServerStreaming)))
        {
            RpcException? failure = await AllMethods.CallAsync(nobody, method);
            Assert.Equal(method.Service.FullName == "grpc.health.v1.Health" ? null : StatusCode.Unauthenticated, failure?.StatusCode);
        }
    }

    /// <summary>An agent that takes tokens of the issuer, whose keys it has in a file.</summary>
    private static async Task<TlsAgent> StartWithIssuerAsync(TestIssuer issuer, ScratchFolder keys, string more)
    {
        keys.GiveTo(65534, 65534);
        await File.WriteAllTextAsync(keys.File("jwks.json"), TestIssuer.KeySet(issuer));
        return await TlsAgent.StartAsync(
            "--oidc-issuer", issuer.Issuer, "--oidc-audience", TestIssuer.Audience, "--oidc-jwks-file", keys.File("jwks.json"), more);
    }

    private static async Task<(StatusCode Code, string? Reason)[]> CallAllAsync(GrpcChannel channel, int most = int.MaxValue)
    {
        List<(StatusCode, string?)> ends = [];
        foreach (MethodDescriptor method in AllMethods.List.Take(most))
        {
            RpcException? failure = await AllMethods.CallAsync(channel, method);
            ends.Add((failure?.StatusCode ?? StatusCode.OK, failure?.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason));
        }

        return [.. ends];
    }
}
