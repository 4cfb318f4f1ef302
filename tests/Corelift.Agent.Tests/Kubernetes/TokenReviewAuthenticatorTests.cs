using System.Diagnostics;
using Corelift.Agent.Access;
using Corelift.Agent.Kubernetes;
using Corelift.Testing;
using Corelift.Testing.Cluster;

namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>Whose tokens count, and what happens where that cannot be found out.</summary>
public sealed class TokenReviewAuthenticatorTests : KubernetesTest
{
    private const string Audience = KubernetesOptions.DefaultAudience;
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);

    private readonly ManualClock _clock = new();
    private TokenReviewAuthenticator _authenticator = null!;

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        _authenticator = new TokenReviewAuthenticator(NewClient(), Keep(new ApiQuestions()), Audience, _clock);
    }

    [Fact]
    public async Task A_service_account_is_known_with_its_groups_and_its_tokens_end()
    {
        Caller caller = (await AskAsync(Cluster.Tokens.Issue("shop", "robot", s_hour, "other", Audience)))!;

        Assert.Equal((CallerKind.ServiceAccount, "system:serviceaccount:shop:robot", "shop/robot"), (caller.Kind, caller.Name, caller.ServiceAccount));
        Assert.Contains("system:serviceaccounts:shop", caller.GroupNames);
        Assert.Equal(["uid-of-system:serviceaccount:shop:robot"], caller.Claims["uid"]);
        Assert.Contains("authentication.kubernetes.io/credential-id", caller.Claims.Keys);
        Assert.InRange(caller.ExpiresAt!.Value, DateTimeOffset.UtcNow.AddMinutes(59), DateTimeOffset.UtcNow.AddMinutes(61));
    }

    [Fact]
    public async Task Tokens_for_others_never_reach_the_server()
    {
        Assert.Null(await AskAsync(Cluster.Tokens.Issue("shop", "robot", s_hour, ClusterTokens.ApiAudience)));
        Assert.Null(await AskAsync(Cluster.Tokens.Issue("shop", "robot", s_hour)));
        Assert.Null(await AskAsync(Cluster.Tokens.Issue("shop", "robot", TimeSpan.FromSeconds(-1), Audience)));
        foreach (string none in (string[])["", "abc", "a.b.c", "..", new string('x', 100_000), "e30.bnVsbA.x"])
        {
            Assert.Null(await AskAsync(none));
        }

        Assert.Equal(0, Cluster.Count("tokenreviews"));
    }

    [Fact]
    public async Task A_token_that_only_says_it_is_for_us_is_refused()
    {
        string mine = Cluster.Tokens.Issue("shop", "robot", s_hour, ClusterTokens.ApiAudience);
        string other = Cluster.Tokens.Issue("shop", "robot", s_hour, Audience);

        // The claims of the one under the signature of the other.
        Assert.Null(await AskAsync(other[..(other.LastIndexOf('.') + 1)] + mine[(mine.LastIndexOf('.') + 1)..]));
        Assert.Equal(1, Cluster.Count("tokenreviews"));
    }

    [Fact]
    public async Task An_answer_is_remembered_for_ten_seconds_and_a_refusal_for_two()
    {
        string token = Cluster.Tokens.Issue("shop", "robot", s_hour, Audience);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ => Assert.NotNull(await AskAsync(token))));
        Assert.Equal(1, Cluster.Count("tokenreviews"));
        Cluster.Tokens.Revoked.Add(token);
        _clock.Advance(TimeSpan.FromSeconds(9.5));
        Assert.NotNull(await AskAsync(token));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await AskAsync(token));
        Cluster.Tokens.Revoked.Remove(token);
        Assert.Null(await AskAsync(token));
        Assert.Equal(2, Cluster.Count("tokenreviews"));
        _clock.Advance(TimeSpan.FromSeconds(2.1));
        Assert.NotNull(await AskAsync(token));
    }

    [Fact]
    public async Task A_remembered_token_is_not_good_beyond_its_own_end()
    {
        string token = Cluster.Tokens.Issue("shop", "robot", TimeSpan.FromSeconds(5), Audience);
        Assert.NotNull(await AskAsync(token));
        _clock.Advance(TimeSpan.FromSeconds(6));
        Assert.Null(await AskAsync(token));
    }

    [Theory]
    [InlineData(Trouble.Silent)]
    [InlineData(Trouble.Forbidden)]
    [InlineData(Trouble.Garbage)]
    [InlineData(Trouble.Overloaded)]
    [InlineData(Trouble.Cut)]
    public async Task A_server_in_trouble_refuses_in_time_and_is_asked_again_at_once(Trouble trouble)
    {
        Cluster.Set("tokenreviews", trouble);
        string token = Cluster.Tokens.Issue("shop", "robot", s_hour, Audience);
        var time = Stopwatch.StartNew();

        await Assert.ThrowsAsync<AccessUnavailableException>(() => AskAsync(token));

        Assert.InRange(time.Elapsed, TimeSpan.Zero, Wait.Soon);
        Cluster.Set("tokenreviews", Trouble.None);
        Assert.NotNull(await AskAsync(token));
    }

    [Fact]
    public async Task A_server_that_is_down_refuses_in_time()
    {
        await Cluster.DownAsync();
        var time = Stopwatch.StartNew();
        await Assert.ThrowsAsync<AccessUnavailableException>(() => AskAsync(Cluster.Tokens.Issue("a", "b", s_hour, Audience)));
        Assert.InRange(time.Elapsed, TimeSpan.Zero, Wait.Soon);
    }

    [Fact]
    public async Task A_flood_of_tokens_is_bounded_in_time_and_memory()
    {
        Cluster.Set("tokenreviews", Trouble.Silent);
        var time = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 200).Select(_ =>
            Assert.ThrowsAsync<AccessUnavailableException>(() => AskAsync(Cluster.Tokens.Issue("a", "b", s_hour, Audience)))));
        Assert.InRange(time.Elapsed, TimeSpan.Zero, Wait.Soon);
        Assert.InRange(Cluster.Count("tokenreviews"), 0, 8);
    }

    private Task<Caller?> AskAsync(string token) => _authenticator.AuthenticateAsync(token, default).AsTask();
}
