using Corelift.Agent.Access;
using Corelift.Capture;
using Corelift.Capture.Planning;

namespace Corelift.Agent.Tests.Access;

public sealed class PolicyDecisionTests
{
    private static readonly Caller s_uid1000 = new(CallerKind.UnixPeer, "uid:1000") { Uid = 1000, Gid = 100, Groups = [27] };

    internal static TargetIdentity Target(params uint[] uids) => new(new Linux.ProcessRef(7, 70))
    {
        Uids = uids.Length == 1 ? [uids[0], uids[0], uids[0], uids[0]] : uids,
        Executable = "/usr/bin/app",
        Cgroup = "/kubepods/burstable/x",
        IsDumpable = true,
    };

    [Fact]
    public void What_no_rule_gives_is_denied()
    {
        Assert.False(Allows("[]", s_uid1000, AccessVerb.Inspect, null, Target(1000)));
        Assert.False(Allows(Rule("{ \"uid\": 1001 }"), s_uid1000, AccessVerb.Stop, null, Target(1000)));
        Assert.False(Allows(Rule("{ \"uid\": 1000 }", verbs: "\"inspect\""), s_uid1000, AccessVerb.Stop, null, Target(1000)));
        Assert.True(Allows(Rule("{ \"uid\": 1000 }"), s_uid1000, AccessVerb.Stop, null, Target(1000)));
    }

    [Fact]
    public void Identities_of_one_kind_do_not_pass_for_another()
    {
        Caller certificate = new(CallerKind.Certificate, "cert:CN=a") { CertificateSubject = "CN=a", SpiffeId = "spiffe://d/ops/x" };
        Caller service = new(CallerKind.ServiceAccount, "system:serviceaccount:a:b") { ServiceAccount = "a/b", GroupNames = ["g"] };
        Caller token = new(CallerKind.Token, "oidc:s@i") { Issuer = "https://i", Claims = new Dictionary<string, IReadOnlyList<string>> { ["team"] = ["a", "b"] } };
        Caller nobody = new(CallerKind.Anonymous, "anonymous");
        (string Who, Caller Fits)[] rows =
        [
            ("{ \"uid\": 1000 }", s_uid1000), ("{ \"gid\": 27 }", s_uid1000), ("{ \"gid\": 100 }", s_uid1000), ("{ \"subject\": \"CN=a\" }", certificate),
            ("{ \"spiffe\": \"spiffe://d/ops/*\" }", certificate), ("{ \"spiffe\": \"spiffe://d/ops/x\" }", certificate),
            ("{ \"serviceAccount\": \"a/b\" }", service), ("{ \"group\": \"g\" }", service),
            ("{ \"issuer\": \"https://i\", \"claims\": { \"team\": \"b\" } }", token), ("{ \"anonymous\": true }", nobody),
        ];
        foreach ((string who, Caller fits) in rows)
        {
            foreach (Caller caller in (Caller[])[s_uid1000, certificate, service, token, nobody])
            {
                Assert.Equal(caller == fits, Allows(Rule(who), caller, AccessVerb.Stop, null, Target(1)));
            }
        }

        Assert.False(Allows(Rule("{ \"issuer\": \"https://i\", \"claims\": { \"team\": \"c\" } }"), token, AccessVerb.Stop, null, Target(1)));
        Assert.False(Allows(Rule("{ \"spiffe\": \"spiffe://d/opsy/*\" }"), certificate, AccessVerb.Stop, null, Target(1)));
        Assert.False(Allows(Rule("{ \"uid\": 1000, \"gid\": 5 }"), s_uid1000, AccessVerb.Stop, null, Target(1)));
    }

    [Theory]
    [InlineData("registers-and-stacks", CaptureContent.Stacks, true)]
    [InlineData("registers-and-stacks", CaptureContent.Default, false)]
    [InlineData("registers-and-stacks", CaptureContent.Full, false)]
    [InlineData("default", CaptureContent.Stacks, true)]
    [InlineData("default", CaptureContent.Default, true)]
    [InlineData("default", CaptureContent.Full, false)]
    [InlineData("full", CaptureContent.Full, true)]
    public void A_content_includes_the_smaller_ones(string given, CaptureContent wanted, bool allowed) =>
        Assert.Equal(allowed, Allows(Rule("{ \"uid\": 1000 }", content: given), s_uid1000, AccessVerb.Snapshot, wanted, Target(1)));

    [Fact]
    public void All_uids_of_a_target_have_to_fit()
    {
        string rule = Rule("{ \"uid\": 1000 }", targets: "[{ \"uid\": 1000 }]");
        Assert.True(Allows(rule, s_uid1000, AccessVerb.Stop, null, Target(1000)));
        Assert.False(Allows(rule, s_uid1000, AccessVerb.Stop, null, Target(1000, 1000, 0, 1000)));
        Assert.False(Allows(rule, s_uid1000, AccessVerb.Stop, null, Target(1000, 0, 1000, 0)));
    }

    [Fact]
    public void A_target_has_to_fit_in_all_that_is_said()
    {
        TargetIdentity pod = Target(5) with
        {
            Pod = new PodIdentity { Namespace = "shop", Name = "web-1", Uid = "u", Container = "api", Labels = new Dictionary<string, string> { ["app"] = "web" } },
        };
        string Said(string target) => Rule("{ \"uid\": 1000 }", targets: $"[{target}]");
        Assert.True(Allows(Said("{ \"namespace\": \"sh*\", \"labels\": { \"app\": \"web\" }, \"container\": \"api\", \"executable\": \"/usr/*\", \"cgroup\": \"/kubepods/*\" }"), s_uid1000, AccessVerb.Stop, null, pod));
        foreach (string other in (string[])["{ \"namespace\": \"shop2\" }", "{ \"labels\": { \"app\": \"db\" } }", "{ \"container\": \"ap\" }", "{ \"executable\": \"/bin/*\" }", "{ \"cgroup\": \"/system*\" }"])
        {
            Assert.False(Allows(Said(other), s_uid1000, AccessVerb.Stop, null, pod), other);
        }

        // A process outside pods fits no rule about pods, not even one of a namespace with any name.
        Assert.False(Allows(Said("{ \"namespace\": \"*\" }"), s_uid1000, AccessVerb.Stop, null, Target(5)));
        Assert.False(Allows(Said("{ \"namespace\": \"shop\" }"), s_uid1000, AccessVerb.Stop, null, null));
    }

    [Theory]
    [InlineData("*", "", true)]
    [InlineData("a*", "a", true)]
    [InlineData("a*c", "abbbc", true)]
    [InlineData("a*c", "abbbcd", false)]
    [InlineData("[anon:secret*]", "[anon:secrets of mine]", true)]
    [InlineData("[anon:secret*]", "[anon:secret", false)]
    [InlineData("a**b*", "ab", true)]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    public void A_star_stands_for_any_text(string pattern, string name, bool fits) => Assert.Equal(fits, NamePattern.Fits(pattern, name));

    [Fact]
    public void A_pattern_of_stars_takes_no_exponential_time() =>
        Assert.False(NamePattern.Fits(string.Concat(Enumerable.Repeat("*a", 200)) + "b", new string('a', 4000)));

    private static string Rule(string who, string verbs = "\"stop\", \"snapshot\"", string content = "full", string targets = "\"all\"") =>
        $$"""[{ "who": [{{who}}], "verbs": [{{verbs}}], "content": "{{content}}", "targets": {{targets}} }]""";

    private static bool Allows(string rules, Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target) =>
        PolicyReaderTests.Parse($$"""{ "version": 1, "rules": {{rules}} }""").Rules.Any(rule => rule.Refuses(caller, verb, content, target) is null);
}
