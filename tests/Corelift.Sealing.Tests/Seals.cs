namespace Corelift.Sealing.Tests;

/// <summary>Seals and opens in memory.</summary>
internal static class Seals
{
    internal const int Chunk = 64 * 1024;

    internal static byte[] Plain(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Seals by pieces of odd lengths.</summary>
    internal static async Task<byte[]> SealAsync(byte[] plain, params AgeRecipient[] recipients)
    {
        using MemoryStream file = new();
        using AgeWriter writer = new(recipients, async (part, cancellation) =>
        {
            Assert.InRange(part.Length, 1, 1 << 20);
            await file.WriteAsync(part, cancellation);
        });
        Random lengths = new(plain.Length);
        for (int at = 0; at < plain.Length;)
        {
            int piece = Math.Min(lengths.Next(1, 300_000), plain.Length - at);
            await writer.WriteAsync(plain.AsMemory(at, piece), default);
            at += piece;
        }

        await writer.CompleteAsync(default);
        return file.ToArray();
    }

    /// <summary>Opens a file that comes in small pieces, as from a network.</summary>
    internal static async Task<byte[]> OpenAsync(byte[] file, params AgeIdentity[] identities)
    {
        using Trickle source = new(file);
        using AgeReader reader = await AgeReader.OpenAsync(source, identities, default);
        using MemoryStream plain = new();
        while (await reader.ReadChunkAsync(default) is { Length: > 0 } chunk)
        {
            plain.Write(chunk.Span);
        }

        return plain.ToArray();
    }

    /// <summary>Why a file cannot be opened; it also may not be opened by asking twice.</summary>
    internal static async Task<AgeFailure> RefusalAsync(byte[] file, params AgeIdentity[] identities)
    {
        AgeReader reader;
        try
        {
            reader = await AgeReader.OpenAsync(new MemoryStream(file), identities, default);
        }
        catch (AgeException failure)
        {
            return failure.Failure;
        }

        using (reader)
        {
            AgeException first = await Assert.ThrowsAsync<AgeException>(() => ReadAllAsync(reader));
            await Assert.ThrowsAsync<AgeException>(() => ReadAllAsync(reader));
            return first.Failure;
        }
    }

    private static async Task ReadAllAsync(AgeReader reader)
    {
        while ((await reader.ReadChunkAsync(default)).Length > 0)
        {
        }
    }

    private sealed class Trickle(byte[] bytes) : MemoryStream(bytes)
    {
        private readonly Random _lengths = new(1);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, _lengths.Next(1, 5000))], cancellationToken);
    }
}
