using Corelift.Client;
using Corelift.Client.Receiving;
using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.Fuzz.Engine;
using Corelift.Sealing;
using Corelift.V1;
using Google.Protobuf;

namespace Corelift.Fuzz.Targets;

/// <summary>
/// Sealed snapshots: the header that anybody can write; what a sealer who knows our public key puts inside; and the parts that
/// are kept unopened.
/// </summary>
internal sealed class SealedStreamTarget : IFuzzTarget
{
    private static readonly Lazy<AgeIdentity> s_identity = new(Key);

    private static readonly SnapshotLimits s_limits = new() { MaxThreads = 16, MaxVmas = 32, MaxHoles = 32, MaxZeroRanges = 32, MaxRounds = 8, MaxMemoryBytes = 8 << 20 };

    public static string Name => "sealed-stream";

    public static int MostBytes => 32 * 1024;

    public static long MostAllocatedBytes => 64L << 20;

    public static IReadOnlyList<string> Words => ["age-encryption.org/v1\n", "-> X25519 ", "-> scrypt ", "--- ", "\n", "=", "-> "];

    public static IEnumerable<byte[]> Seeds =>
    [
        [0, .. Seal(Captures.ToBytes(Captures.Simple()))],
        [1, .. CaptureStreamTarget.WithSums(Captures.ToBytes(Captures.Simple()))],
        [1, .. CaptureStreamTarget.WithSums(Captures.ToBytes(Captures.Live()))],
        [2, .. Captures.ToBytes([new CaptureResponse { Sealed = ByteString.CopyFrom(Seal([1, 2, 3])) }])],
    ];

    public static byte[]? Mutate(byte[] input, Random random) =>
        input.Length > 1 && input[0] != 0 && MessageMutation.Mutate(input[1..], random) is { } changed ? [input[0], .. changed] : null;

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        byte[] rest = input[1..].ToArray();
        try
        {
            switch (input[0] % 3)
            {
                case 0:
                    OpenAsync(rest).GetAwaiter().GetResult();
                    break;
                case 1:
                    OpenAsync(Seal(rest)).GetAwaiter().GetResult();
                    break;
                default:
                    Keep(rest);
                    break;
            }
        }
        catch (Exception failure) when (failure is SnapshotException or CoreFormatException or IOException)
        {
            // What is documented.
        }
    }

    private static async Task OpenAsync(byte[] file)
    {
        using CaptureReceiver receiver = new(new SparseStream(canSeek: true), s_limits, null) { IsOpened = true };
        using FrameQueue queue = new(receiver);
        try
        {
            await SealedMessages.ReadAsync(new MemoryStream(file), [s_identity.Value], queue, default);
        }
        finally
        {
            await queue.DrainAsync();
        }
    }

    private static void Keep(byte[] parts)
    {
        SealedFileReceiver receiver = new(new SparseStream(canSeek: false), s_limits, null);
        foreach (byte[] message in Captures.Cut(parts))
        {
            using CaptureFrame frame = Captures.Frame(message);
            receiver.Add(frame);
        }
    }

    private static byte[] Seal(byte[] plain)
    {
        MemoryStream file = new();
        using AgeWriter writer = new([s_identity.Value.Recipient], (part, _) =>
        {
            file.Write(part.Span);
            return Task.CompletedTask;
        });
        writer.WriteAsync(plain, default).AsTask().GetAwaiter().GetResult();
        writer.CompleteAsync(default).GetAwaiter().GetResult();
        return file.ToArray();
    }

    /// <summary>Always the same one, so that inputs of the corpus can be opened.</summary>
    private static AgeIdentity Key() =>
        AgeIdentity.TryParse(Bech32.Encode("age-secret-key-", Enumerable.Range(1, 32).Select(value => (byte)value).ToArray()).ToUpperInvariant(), out AgeIdentity? key, out string? problem)
            ? key!
            : throw new InvalidOperationException(problem);
}
