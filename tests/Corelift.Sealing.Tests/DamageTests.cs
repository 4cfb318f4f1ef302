using System.Text;

namespace Corelift.Sealing.Tests;

/// <summary>A file that was changed or cut never opens to its end, and age is of the same opinion.</summary>
public sealed class DamageTests
{
    private static readonly AgeIdentity s_identity = AgeIdentity.Generate();

    [Fact]
    public async Task A_flipped_bit_in_any_byte_of_the_header_is_found()
    {
        byte[] file = await Seals.SealAsync(Seals.Plain(100), s_identity.Recipient, AgeIdentity.Generate().Recipient);
        int header = Encoding.Latin1.GetString(file).IndexOf("\n---", StringComparison.Ordinal) + 4 + 1 + 43 + 1;
        for (int at = 0; at < header + 16; at++) // and of the nonce
        {
            for (int bit = 0; bit < 8; bit++)
            {
                await AssertRefusedAsync(Flip(file, at, bit));
            }
        }
    }

    [Fact]
    public async Task A_flipped_bit_in_any_chunk_and_its_tag_is_found()
    {
        const int SealedChunk = Seals.Chunk + 16;
        byte[] file = await Seals.SealAsync(Seals.Plain((3 * Seals.Chunk) + 100), s_identity.Recipient);
        int payload = file.Length - (3 * SealedChunk) - 116;
        for (int chunk = 0; chunk < 4; chunk++)
        {
            int start = payload + (chunk * SealedChunk);
            int end = Math.Min(start + SealedChunk, file.Length);
            foreach (int at in (int[])[start, start + 50, (start + end) / 2, end - 17, end - 16, end - 1])
            {
                Assert.Equal(AgeFailure.Damaged, await Seals.RefusalAsync(Flip(file, at, 3), s_identity));
            }
        }
    }

    [Fact]
    public async Task Cut_off_anywhere_it_is_found()
    {
        byte[] small = await Seals.SealAsync(Seals.Plain(100), s_identity.Recipient);
        for (int length = 0; length < small.Length; length++)
        {
            await AssertRefusedAsync(small[..length]);
        }

        const int SealedChunk = Seals.Chunk + 16;
        byte[] file = await Seals.SealAsync(Seals.Plain(4 * Seals.Chunk), s_identity.Recipient);
        int payload = file.Length - (4 * SealedChunk);
        for (int chunk = 0; chunk < 4; chunk++)
        {
            int border = payload + (chunk * SealedChunk);
            Assert.Equal(AgeFailure.Truncated, await Seals.RefusalAsync(file[..border], s_identity));
            await AssertRefusedAsync(file[..(border - 1)]);
            await AssertRefusedAsync(file[..(border + 1)]);
            await AssertRefusedAsync(file[..(border + 16)]);
            await AssertRefusedAsync(file[..(border + 17)]);
        }
    }

    [Fact]
    public async Task Chunks_that_are_appended_moved_doubled_or_left_out_are_found()
    {
        const int SealedChunk = Seals.Chunk + 16;
        byte[] file = await Seals.SealAsync(Seals.Plain(3 * Seals.Chunk), s_identity.Recipient);
        int payload = file.Length - (3 * SealedChunk);
        byte[] start = file[..payload];
        byte[][] chunks = [.. Enumerable.Range(0, 3).Select(chunk => file[(payload + (chunk * SealedChunk))..(payload + ((chunk + 1) * SealedChunk))])];
        byte[] other = await Seals.SealAsync(Seals.Plain(3 * Seals.Chunk), s_identity.Recipient);

        Assert.Equal(3 * Seals.Chunk, (await Seals.OpenAsync([.. start, .. chunks[0], .. chunks[1], .. chunks[2]], s_identity)).Length);
        await AssertRefusedAsync([.. file, 0]);
        await AssertRefusedAsync([.. file, .. new byte[16]]);
        await AssertRefusedAsync([.. file, .. chunks[2]]);
        await AssertRefusedAsync([.. file, .. file]);
        await AssertRefusedAsync([.. start, .. chunks[1], .. chunks[0], .. chunks[2]]);
        await AssertRefusedAsync([.. start, .. chunks[0], .. chunks[0], .. chunks[1], .. chunks[2]]);
        await AssertRefusedAsync([.. start, .. chunks[0], .. chunks[2]]);
        await AssertRefusedAsync([.. start, .. chunks[2]]);
        await AssertRefusedAsync([.. start, .. chunks[0], .. chunks[1], .. other[^SealedChunk..]]);
        await AssertRefusedAsync([.. other[..payload], .. file[payload..]]);
    }

    [Fact]
    public async Task Age_judges_changed_files_as_we_do()
    {
        using AgeTool age = new();
        byte[] file = await Seals.SealAsync(Seals.Plain((2 * Seals.Chunk) + 5), s_identity.Recipient);
        string text = Encoding.Latin1.GetString(file);
        int mac = text.IndexOf("\n---", StringComparison.Ordinal) + 1;
        byte[] Header(string replaced, string by) => Encoding.Latin1.GetBytes(text[..(mac + 49)].Replace(replaced, by, StringComparison.Ordinal) + text[(mac + 49)..]);

        byte[][] changed =
        [
            .. Enumerable.Range(0, 40).Select(step => Flip(file, step * (mac + 60) / 40, step % 8)),
            file[..^1], file[..^21], [.. file, 1], file[..100], file[..(mac + 48)],
            Header("\n", "\r\n"), Header("--- ", "---"), Header("--- ", "---  "), Header("X25519 ", "X25519  "), Header("X25519", "x25519"),
            Header("v1", "v2"), Header("-> X", "->X"), Header("\n---", "\n\n---"), Header("\n---", "=\n---"), Header("\n---", "\n-> grease\n\n---"),
            Header("-> X25519", "-> X25519 extra"), Header("-> ", "-> "),
        ];
        for (int i = 0; i < changed.Length; i++)
        {
            byte[]? theirs = age.Decrypt(changed[i], s_identity);
            byte[]? ours = null;
            try
            {
                ours = await Seals.OpenAsync(changed[i], s_identity);
            }
            catch (AgeException)
            {
                // Judged below.
            }

            Assert.True((theirs is null) == (ours is null), $"case {i}: age {(theirs is null ? "refuses" : "opens")} it, we do not agree");
            Assert.Equal(theirs, ours);
        }

        Assert.NotNull(age.Decrypt(changed[^1], s_identity)); // the unchanged one
    }

    [Fact]
    public async Task A_header_without_end_costs_bounded_memory()
    {
        byte[] endless = [.. "age-encryption.org/v1\n"u8, .. Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("-> X25519 AAAA\nAAAA\n", 10_000)))];
        Assert.Equal(AgeFailure.Malformed, await Seals.RefusalAsync(endless, s_identity));
        Assert.Equal(AgeFailure.Malformed, await Seals.RefusalAsync(Seals.Plain(1 << 20), s_identity));
        Assert.Equal(AgeFailure.Truncated, await Seals.RefusalAsync([], s_identity));
    }

    [Fact]
    public async Task An_armored_file_is_named()
    {
        AgeException failure = await Assert.ThrowsAsync<AgeException>(
            () => Seals.OpenAsync(Encoding.ASCII.GetBytes("-----BEGIN AGE ENCRYPTED FILE-----\n"), s_identity));
        Assert.Contains("armored", failure.Message, StringComparison.Ordinal);
    }

    private static async Task AssertRefusedAsync(byte[] file) => _ = await Seals.RefusalAsync(file, s_identity);

    private static byte[] Flip(byte[] file, int at, int bit)
    {
        byte[] copy = [.. file];
        copy[at] ^= (byte)(1 << bit);
        return copy;
    }
}
