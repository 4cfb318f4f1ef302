namespace Corelift.Sealing.Tests;

/// <summary>Keys as text: what is read, and what is said of what is none.</summary>
public sealed class KeyTests
{
    private static readonly AgeIdentity s_identity = AgeIdentity.Generate();

    [Fact]
    public void A_key_is_read_back()
    {
        Assert.True(AgeRecipient.TryParse(s_identity.Recipient.ToString(), out AgeRecipient? recipient, out string? problem));
        Assert.Null(problem);
        Assert.Equal(s_identity.Recipient, recipient);
        Assert.True(AgeIdentity.TryParse(s_identity.ToSecretText(), out AgeIdentity? identity, out _));
        Assert.Equal(s_identity.Recipient, identity!.Recipient);
    }

    [Fact]
    public void A_mistyped_letter_anywhere_is_found()
    {
        string text = s_identity.Recipient.ToString();
        for (int at = 4; at < text.Length; at++)
        {
            char other = text[at] == 'q' ? 'p' : 'q';
            Assert.False(AgeRecipient.TryParse($"{text[..at]}{other}{text[(at + 1)..]}", out _, out string? problem));
            Assert.Contains("mistyped", problem, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("", "begins with age1")]
    [InlineData("alice", "begins with age1")]
    [InlineData("age1", "checksum or length")]
    [InlineData("age1qqqq", "checksum or length")]
    [InlineData("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "checksum or length")]
    [InlineData("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "begins with age1")]
    public void What_is_no_public_key_is_told_from_one(string text, string expected)
    {
        Assert.False(AgeRecipient.TryParse(text, out _, out string? problem));
        Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_private_key_as_recipient_is_refused_and_not_repeated()
    {
        Assert.False(AgeRecipient.TryParse(s_identity.ToSecretText(), out _, out string? problem));
        Assert.Contains("private key", problem, StringComparison.Ordinal);
        Assert.DoesNotContain(s_identity.ToSecretText()[16..], problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Upper_and_mixed_case_are_refused_as_age_refuses_them()
    {
        string text = s_identity.Recipient.ToString();
        Assert.False(AgeRecipient.TryParse(text.ToUpperInvariant(), out _, out _));
        Assert.False(AgeRecipient.TryParse(text[..20] + text[20..].ToUpperInvariant(), out _, out _));
        Assert.False(AgeIdentity.TryParse(s_identity.ToSecretText().ToLowerInvariant(), out _, out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_key_of_low_order_is_refused(byte first)
    {
        byte[] point = new byte[32];
        point[0] = first;
        Assert.False(AgeRecipient.TryParse(Bech32.Encode("age", point), out _, out string? problem));
        Assert.Contains("low order", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_names_the_line_that_is_wrong()
    {
        string good = s_identity.Recipient.ToString();
        Assert.Equal(2, AgeRecipient.ParseList(new StringReader($"# two\n{good}\n\n  {good}  \n")).Count);
        AgeException failure = Assert.Throws<AgeException>(() => AgeRecipient.ParseList(new StringReader($"{good}\n# x\nalice\n")));
        Assert.StartsWith("line 3 ", failure.Message, StringComparison.Ordinal);
        Assert.Throws<AgeException>(() => AgeRecipient.ParseList(new StringReader("# nothing\n")));
        Assert.Throws<AgeException>(() => AgeIdentity.ParseList(new StringReader("")));
        Assert.Throws<AgeException>(() => AgeIdentity.ParseList(new StringReader(new string('x', 1 << 20))));
    }

    [Theory]
    [InlineData("AGE-PLUGIN-YUBIKEY-1QQQ", "plugin")]
    [InlineData("-----BEGIN OPENSSH PRIVATE KEY-----", "SSH")]
    [InlineData("age-encryption.org/v1", "encrypted")]
    [InlineData("age1qqqq", "public key")]
    [InlineData("AGE-SECRET-KEY-1QQQQ", "mistyped")]
    public void What_is_no_private_key_is_told_from_one(string text, string expected)
    {
        Assert.False(AgeIdentity.TryParse(text, out _, out string? problem));
        Assert.Contains(expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void An_identity_as_text_is_its_public_key() => Assert.Equal(s_identity.Recipient.ToString(), s_identity.ToString());
}
