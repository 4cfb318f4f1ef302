using Corelift.Agent.Access;
using Corelift.Sealing;
using Corelift.V1;
using Grpc.Core;

namespace Corelift.Agent.Tests;

/// <summary>Whom a snapshot is sealed to.</summary>
public sealed class SealingRuleTests
{
    private static readonly AgeRecipient s_operator = AgeIdentity.Generate().Recipient;
    private static readonly AgeRecipient s_caller = AgeIdentity.Generate().Recipient;

    [Fact]
    public void Without_recipients_nothing_is_sealed_or_refused()
    {
        SealingRule rule = new([]);
        Assert.Empty(rule.RecipientsOf(null));
        Assert.Empty(rule.RecipientsOf(new CaptureOptions()));
        Assert.False(rule.IsDemanded);
        rule.RefuseInTheClear("memory");
    }

    [Fact]
    public void The_agents_recipients_are_added_always_and_each_once()
    {
        SealingRule rule = new([s_operator]);
        Assert.Equal([s_operator], rule.RecipientsOf(null));
        CaptureOptions options = new() { Recipients = { s_caller.ToString(), s_operator.ToString(), s_caller.ToString() } };
        Assert.Equal([s_operator, s_caller], rule.RecipientsOf(options));
        Assert.Equal([s_caller], new SealingRule([]).RecipientsOf(new CaptureOptions { Recipients = { s_caller.ToString() } }));
        Assert.Equal(StatusCode.FailedPrecondition, Assert.Throws<RpcException>(() => rule.RefuseInTheClear("memory")).StatusCode);
    }
}
