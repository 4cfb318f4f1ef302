using System.Diagnostics;
using System.Text.Json.Nodes;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Tokens;
using Corelift.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Corelift.Agent.Tests.Access;

/// <summary>Tokens of an issuer that is there, is slow, is down, changes its keys, or lies.</summary>
public sealed class JwtAuthenticatorTests : IAsyncLifetime, IDisposable
{
    private static readonly IssuerPace s_quick = new() { Interval = TimeSpan.FromMilliseconds(200) };

    private IssuerServer _server = null!;
    private TestIssuer _issuer = null!;

    public async Task InitializeAsync()
    {
        _server = await IssuerServer.StartAsync();
        _issuer = new TestIssuer(_server.Uri.AbsoluteUri.TrimEnd('/'));
        _server.Keys = TestIssuer.KeySet(_issuer);
    }

    public void Dispose() => _issuer.Dispose();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task A_token_names_its_caller_with_its_claims_and_its_end()
    {
        Caller caller = (await AskAsync(Make(), _issuer.Issue(claims => claims["role"] = "sre")))!;
        Assert.Equal((CallerKind.Token, $"oidc:alice@{_issuer.Issuer}", _issuer.Issuer), (caller.Kind, caller.Name, caller.Issuer));
        Assert.Equal(["ops", "dev"], caller.GroupNames);
        Assert.Equal(["sre"], caller.Claims["role"]);
        Assert.InRange(caller.ExpiresAt!.Value - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(10));
        Assert.Equal("oidc:a\\x0ab@" + _issuer.Issuer, (await AskAsync(Make(), _issuer.Issue(subject: "a\nb")))!.Name);
        Assert.Equal(2, _server.Requests); // each authenticator once
    }

    [Fact]
    public async Task Tokens_with_anything_wrong_are_nobodys()
    {
        using TestIssuer stranger = new(_issuer.Issuer);
        JwtAuthenticator authenticator = Make();
        string[] wrong =
        [
            "", "x", "a.b", "a.b.c", "....", new string('a', 100_000), _issuer.IssueUnsigned(), _issuer.IssueByPublicKey(), stranger.Issue(),
            _issuer.Issue(claims => claims["exp"] = TestIssuer.At(TimeSpan.FromSeconds(-30))),
            _issuer.Issue(claims => claims["nbf"] = TestIssuer.At(TimeSpan.FromSeconds(60))),
            _issuer.Issue(claims => claims.Remove("exp")),
            _issuer.Issue(claims => claims["exp"] = "soon"),
            _issuer.Issue(claims => claims["aud"] = "other"),
            _issuer.Issue(claims => claims["aud"] = new JsonArray("other", "another")),
            _issuer.Issue(claims => claims.Remove("aud")),
            _issuer.Issue(claims => claims["iss"] = _issuer.Issuer + "/"),
            _issuer.Issue(claims => claims.Remove("iss")),
            _issuer.Issue(claims => claims.Remove("sub")),
            _issuer.Issue(claims => claims["sub"] = ""),
        ];
        Assert.NotNull(await AskAsync(authenticator, _issuer.Issue(claims => claims["aud"] = new JsonArray("other", TestIssuer.Audience))));
        foreach (string token in wrong)
        {
            Assert.Null(await AskAsync(authenticator, token));
        }
    }

    [Fact]
    public async Task A_new_key_is_fetched_when_a_token_names_it_and_unknown_names_do_not_flood_the_issuer()
    {
        JwtAuthenticator authenticator = Make(new IssuerPace { Interval = TimeSpan.FromSeconds(1) });
        Assert.NotNull(await AskAsync(authenticator, _issuer.Issue()));
        using TestIssuer next = new(_issuer.Issuer, "two");
        _server.Keys = TestIssuer.KeySet(_issuer, next);
        await Wait.UntilAsync(async () => await AskAsync(authenticator, next.Issue()) is not null, Wait.Soon, () => "the new key");
        Assert.NotNull(await AskAsync(authenticator, _issuer.Issue()));

        int before = _server.Requests;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 500; i++)
        {
            Assert.Null(await AskAsync(authenticator, next.Issue(keyId: $"unknown-{i}")));
        }

        Assert.InRange(_server.Requests - before, 0, 1 + (int)Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    [Fact]
    public async Task An_issuer_that_is_down_closes_the_door_within_two_seconds_and_opens_it_when_it_is_back()
    {
        await _server.GoAsync();
        JwtAuthenticator authenticator = Make(s_quick);
        await FailsClosedAsync(authenticator);
        await _server.ComeBackAsync();
        await Wait.UntilAsync(async () => await TryAsync(authenticator) is not null, Wait.Soon, () => "the issuer is known again");

        // What is known stays known while it is down; what is not known cannot be checked then.
        await _server.GoAsync();
        Assert.NotNull(await AskAsync(authenticator, _issuer.Issue()));
        await Task.Delay(s_quick.Interval * 2);
        await Assert.ThrowsAsync<AccessUnavailableException>(() => AskAsync(authenticator, _issuer.Issue(keyId: "new")));
        await _server.ComeBackAsync();
    }

    [Fact]
    public async Task Keys_that_are_too_old_are_used_no_more()
    {
        JwtAuthenticator authenticator = Make(s_quick with { Refresh = TimeSpan.FromMilliseconds(10), Oldest = TimeSpan.FromSeconds(1) });
        Assert.NotNull(await AskAsync(authenticator, _issuer.Issue()));
        await _server.GoAsync();
        await Wait.UntilAsync(async () => await TryAsync(authenticator) is null, Wait.Soon, () => "the keys are too old");
        await FailsClosedAsync(authenticator);
        await _server.ComeBackAsync();
    }

    [Fact]
    public async Task A_slow_issuer_is_not_waited_for_and_known_when_it_has_answered()
    {
        TaskCompletionSource answer = new();
        _server.Holds = answer.Task;
        JwtAuthenticator authenticator = Make(s_quick);
        await FailsClosedAsync(authenticator);
        answer.SetResult();
        await Wait.UntilAsync(async () => await TryAsync(authenticator) is not null, Wait.Soon, () => "the slow issuer is known");
        Assert.Equal(1, _server.Requests);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("another issuer")]
    [InlineData("keys over http")]
    [InlineData("no keys")]
    [InlineData("secret key")]
    [InlineData("not JSON")]
    [InlineData("another CA")]
    public async Task An_issuer_that_answers_wrongly_gives_no_keys(string wrong)
    {
        string caFile = _server.CaFile;
        switch (wrong)
        {
            case "status": _server.Status = 403; break;
            case "another issuer": _server.Name = "https://evil.example.org"; break;
            case "keys over http": _server.KeysAddress = "http://127.0.0.1:1/keys"; break;
            case "no keys": _server.Keys = """{ "keys": [] }"""; break;
            case "secret key": _server.Keys = """{ "keys": [ { "kty": "oct", "kid": "one", "k": "AAAA" } ] }"""; break;
            case "not JSON": _server.Keys = "<html>"; break;
            default:
                using (TestCa other = new("Other CA"))
                {
                    caFile = Path.GetTempFileName();
                    await File.WriteAllTextAsync(caFile, other.Pem);
                }

                break;
        }

        await FailsClosedAsync(Make(s_quick, caFile));
        if (caFile != _server.CaFile)
        {
            File.Delete(caFile);
        }
    }

    [Fact]
    public async Task Keys_of_a_file_are_read_again_when_it_changes()
    {
        using ScratchFolder folder = new();
        using TestIssuer next = new(_issuer.Issuer, "two");
        string file = folder.File("jwks.json");
        JwtAuthenticator authenticator = new(Rules(), new IssuerKeyFile(file, NullLogger.Instance), NullLogger.Instance);
        await FailsClosedAsync(authenticator);
        await File.WriteAllTextAsync(file, TestIssuer.KeySet(_issuer));
        Assert.NotNull(await AskAsync(authenticator, _issuer.Issue()));
        Assert.Null(await AskAsync(authenticator, next.Issue()));
        await File.WriteAllTextAsync(file, "{ broken");
        Assert.NotNull(await AskAsync(authenticator, _issuer.Issue()));
        await File.WriteAllTextAsync(file, TestIssuer.KeySet(next));
        Assert.NotNull(await AskAsync(authenticator, next.Issue()));
        Assert.Null(await AskAsync(authenticator, _issuer.Issue()));
    }

    private static Task<Caller?> AskAsync(JwtAuthenticator authenticator, string token) => authenticator.AuthenticateAsync(token, CancellationToken.None).AsTask();

    private async Task FailsClosedAsync(JwtAuthenticator authenticator)
    {
        long start = Stopwatch.GetTimestamp();
        await Assert.ThrowsAsync<AccessUnavailableException>(() => AskAsync(authenticator, _issuer.Issue()));
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, Wait.Soon);
    }

    private async Task<Caller?> TryAsync(JwtAuthenticator authenticator)
    {
        try
        {
            return await AskAsync(authenticator, _issuer.Issue());
        }
        catch (AccessUnavailableException)
        {
            return null;
        }
    }

    private JwtRules Rules() => new(_issuer.Issuer, [TestIssuer.Audience, "corelift-too"]);

    private JwtAuthenticator Make(IssuerPace? pace = null, string? caFile = null) => new(
        Rules(), new IssuerKeyClient(new Uri(_issuer.Issuer), caFile ?? _server.CaFile, NullLogger.Instance, pace ?? new IssuerPace()), NullLogger.Instance);
}
