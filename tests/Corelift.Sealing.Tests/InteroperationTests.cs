namespace Corelift.Sealing.Tests;

/// <summary>What one of the two seals, the other opens: ours and the real age.</summary>
public sealed class InteroperationTests
{
    private static readonly AgeIdentity s_identity = AgeIdentity.Generate();

    public static TheoryData<int> Lengths =>
        [0, 1, 100, Seals.Chunk - 1, Seals.Chunk, Seals.Chunk + 1, 2 * Seals.Chunk, (2 * Seals.Chunk) + 1, (15 * Seals.Chunk) - 1, 15 * Seals.Chunk, (15 * Seals.Chunk) + 1, 40 * Seals.Chunk, 5_000_003];

    [Theory, MemberData(nameof(Lengths))]
    public async Task What_we_seal_age_opens(int length)
    {
        using AgeTool age = new();
        byte[] plain = Seals.Plain(length);
        Assert.Equal(plain, age.Decrypt(await Seals.SealAsync(plain, s_identity.Recipient), s_identity));
    }

    [Theory, MemberData(nameof(Lengths))]
    public async Task What_age_seals_we_open(int length)
    {
        using AgeTool age = new();
        byte[] plain = Seals.Plain(length);
        Assert.Equal(plain, await Seals.OpenAsync(age.Encrypt(plain, s_identity), s_identity));
    }

    [Fact]
    public async Task Each_of_twenty_recipients_opens_and_nobody_else_does()
    {
        using AgeTool age = new();
        byte[] plain = Seals.Plain(100_000);
        AgeIdentity[] identities = [.. Enumerable.Range(0, 20).Select(_ => AgeIdentity.Generate())];
        byte[] ours = await Seals.SealAsync(plain, [.. identities.Select(identity => identity.Recipient)]);
        byte[] theirs = age.Encrypt(plain, identities);

        foreach (AgeIdentity identity in identities)
        {
            Assert.Equal(plain, await Seals.OpenAsync(ours, AgeIdentity.Generate(), identity));
            Assert.Equal(plain, await Seals.OpenAsync(theirs, identity));
        }

        Assert.Equal(plain, age.Decrypt(ours, identities[19]));
        Assert.Null(age.Decrypt(ours, s_identity));
        Assert.Equal(AgeFailure.NoMatchingIdentity, await Seals.RefusalAsync(ours, s_identity));
        Assert.Equal(AgeFailure.NoMatchingIdentity, await Seals.RefusalAsync(theirs, s_identity, AgeIdentity.Generate()));
    }

    [Fact]
    public async Task A_recipient_of_another_kind_among_ours_does_no_harm()
    {
        using AgeTool age = new();
        (int made, string said) = AgeTool.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", age.File("ssh"));
        Assert.True(made == 0, said);
        byte[] plain = Seals.Plain(1000);
        (int exitCode, said) = AgeTool.Run(
            "age", "-R", age.File("ssh.pub"), "-r", s_identity.Recipient.ToString(), "-o", age.File("file.age"), age.Put("plain", plain));
        Assert.True(exitCode == 0, said);

        Assert.Equal(plain, await Seals.OpenAsync(File.ReadAllBytes(age.File("file.age")), s_identity));
    }

    [Fact]
    public void Our_keys_are_those_of_age_keygen_and_its_are_ours()
    {
        using AgeTool age = new();
        (int exitCode, string said) = AgeTool.Run("age-keygen", "-y", age.Put(s_identity));
        Assert.Equal((0, s_identity.Recipient.ToString()), (exitCode, said.Trim()));

        Assert.Equal(0, AgeTool.Run("age-keygen", "-o", age.File("theirs.txt")).ExitCode);
        using StreamReader file = new(age.File("theirs.txt"));
        AgeIdentity theirs = AgeIdentity.ParseList(file).Single();
        string text = File.ReadAllText(age.File("theirs.txt"));
        Assert.Contains($"# public key: {theirs.Recipient}\n", text, StringComparison.Ordinal);
        Assert.Contains(theirs.ToSecretText(), text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_bytes_sealed_twice_have_no_key_or_chunk_in_common()
    {
        byte[] plain = new byte[Seals.Chunk];
        byte[] one = await Seals.SealAsync(plain, s_identity.Recipient);
        byte[] two = await Seals.SealAsync(plain, s_identity.Recipient);
        int header = one.Length - Seals.Chunk;
        Assert.NotEqual(one[header..], two[header..]);
        Assert.NotEqual(one[..header], two[..header]);
    }
}
