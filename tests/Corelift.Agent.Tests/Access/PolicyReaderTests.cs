using System.Text;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Policy;
using Corelift.Capture;

namespace Corelift.Agent.Tests.Access;

public sealed class PolicyReaderTests
{
    private const string Whole = """
        {
          // comments and trailing commas are allowed
          "version": 1,
          "rules": [
            {
              "name": "on call",
              "who": [{ "uid": 1000 }, { "spiffe": "spiffe://example.org/ops/*" }, { "issuer": "https://id.example", "claims": { "team": "sre" } }],
              "verbs": ["inspect", "stop", "snapshot"],
              "content": "registers-and-stacks",
              "targets": [{ "namespace": ["shop", "pay*"], "labels": { "app": "web" }, "container": "api", "uid": [1000, 1001], "executable": "/usr/bin/*", "cgroup": "/kubepods/*" }],
            },
            { "who": [{ "gid": 27 }], "verbs": "inspect", "targets": "all" },
          ],
          "limits": { "perIdentity": { "stopsPerMinute": 10, "stoppedPerMinute": "1s", "bytesPerHour": "2GiB", "atOnce": 2 }, "perTarget": { "coolDown": "30s" } },
          "secrets": { "vmaNames": ["[anon:secret*]"] },
          "optOut": { "keys": ["example.org/no"], "value": "true" },
          "reason": { "required": true },
          "audit": { "required": false, "fileBytes": "1MiB", "redact": ["AKIA[0-9A-Z]+"] },
        }
        """;

    [Fact]
    public void A_whole_file_is_read()
    {
        AccessPolicy policy = Parse(Whole);
        Assert.Equal(2, policy.Rules.Count);
        PolicyRule first = policy.Rules[0];
        Assert.Equal(("on call", 5, CaptureContent.Stacks), (first.Name, first.Line, first.Content));
        Assert.Equal([AccessVerb.Inspect, AccessVerb.Stop, AccessVerb.Snapshot], first.Verbs.Order());
        Assert.Equal([1000u, 1001u], first.Targets![0].Uids);
        Assert.Null(policy.Rules[1].Targets);
        Assert.Equal((10, TimeSpan.FromSeconds(1), 2L << 30, 2), (policy.PerIdentity.StopsPerMinute, policy.PerIdentity.StoppedPerMinute!.Value, policy.PerIdentity.BytesPerHour, policy.PerIdentity.AtOnce));
        Assert.Equal(TimeSpan.FromSeconds(30), policy.PerTarget.CoolDown);
        Assert.Equal(("example.org/no", "true"), (Assert.Single(policy.OptOutKeys), policy.OptOutValue));
        Assert.True(policy.RequiresReason);
        Assert.False(policy.RequiresAudit);
        Assert.Equal(1L << 20, policy.AuditFileBytes);
    }

    [Theory]
    [InlineData("", 1, "empty")]
    [InlineData("{ \"version\": 1, \"rules\": [] } x", 1, "")]
    [InlineData("[]", 1, "write an object")]
    [InlineData("{ \"rules\": [] }", 1, "\"version\": 1")]
    [InlineData("{ \"version\": 2, \"rules\": [] }", 1, "knows version 1")]
    [InlineData("{ \"version\": 1 }", 1, "an empty one denies everything")]
    [InlineData("{ \"version\": 1,\n \"rule\": [] }", 2, "did you mean 'rules'?")]
    [InlineData("{ \"version\": 1,\n\"rules\": [],\n\"rules\": [] }", 3, "twice")]
    public void What_is_wrong_is_said_with_its_line(string text, int line, string words)
    {
        PolicyException failure = Assert.Throws<PolicyException>(() => Parse(text));
        Assert.Contains(failure.Problems, problem => problem.Line == line && problem.Message.Contains(words, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"snapshot\"], \"targets\": \"all\" }", "\"content\" is missing")]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"read\"], \"targets\": \"all\" }", "there is no verb \"read\"")]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"stop\"] }", "\"targets\" is missing")]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"stop\"], \"targets\": \"everything\" }", "or \"all\"")]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"stop\"], \"targets\": [{}] }", "would fit all")]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"stop\"], \"targets\": [{ \"uid\": [] }] }", "empty list")]
    [InlineData("{ \"who\": [{}], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "would fit everybody")]
    [InlineData("{ \"who\": [], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "empty list")]
    [InlineData("{ \"who\": [{ \"uid\": \"root\" }], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "write a number")]
    [InlineData("{ \"who\": [{ \"uid\": 4294967295 }], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "write a number")]
    [InlineData("{ \"who\": [{ \"spiffe\": \"spiffe://*\" }], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "no SPIFFE ID")]
    [InlineData("{ \"who\": [{ \"spiffe\": \"spiffe://a/*/b\" }], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "no SPIFFE ID")]
    [InlineData("{ \"who\": [{ \"serviceAccount\": \"ops\" }], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "NAMESPACE/NAME")]
    [InlineData("{ \"who\": [{ \"claims\": { \"sub\": \"a\" } }], \"verbs\": [\"stop\"], \"targets\": \"all\" }", "any issuer")]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"stop\"], \"targets\": [{ \"executable\": \"app\" }] }", "no absolute path")]
    [InlineData("{ \"who\": [{ \"uid\": 1 }], \"verbs\": [\"stop\"], \"targets\": [{ \"namespace\": null }] }", "leave it out")]
    public void A_rule_that_could_give_too_much_or_nothing_is_refused(string rule, string words)
    {
        PolicyException failure = Assert.Throws<PolicyException>(() => Parse("{ \"version\": 1, \"rules\": [\n" + rule + "\n] }"));
        Assert.Contains(failure.Problems, problem => problem.Line == 2 && problem.Message.Contains(words, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("\"limits\": { \"perIdentity\": { \"stopsPerMinute\": -1 } }", "whole number")]
    [InlineData("\"limits\": { \"perIdentity\": { \"coolDown\": \"soon\" } }", "write a time")]
    [InlineData("\"limits\": { \"perTarget\": { \"atOnce\": 1 } }", "has no \"atOnce\"")]
    [InlineData("\"secrets\": { \"names\": [\"x\"] }", "it may have vmaNames")]
    [InlineData("\"reason\": { \"required\": \"yes\" }", "write true or false")]
    [InlineData("\"audit\": { \"redact\": [\"(\"] }", "no regular expression")]
    [InlineData("\"audit\": { \"fileBytes\": \"1KiB\" }", "less than 64KiB")]
    public void Other_parts_are_checked_too(string part, string words)
    {
        PolicyException failure = Assert.Throws<PolicyException>(() => Parse("{ \"version\": 1, \"rules\": [], " + part + " }"));
        Assert.Contains(failure.Problems, problem => problem.Message.Contains(words, StringComparison.Ordinal));
    }

    [Fact]
    public void All_that_is_wrong_is_said_at_once_in_order_of_lines()
    {
        PolicyException failure = Assert.Throws<PolicyException>(() => Parse("{\n\"version\": 1,\n\"rules\": [],\n\"a\": 1,\n\"reason\": 1\n}"));
        Assert.Equal([4, 5], failure.Problems.Select(problem => problem.Line));
    }

    internal static AccessPolicy Parse(string text) => PolicyReader.Parse(Encoding.UTF8.GetBytes(text));
}
