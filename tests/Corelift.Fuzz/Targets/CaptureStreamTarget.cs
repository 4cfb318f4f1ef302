using Corelift.Client;
using Corelift.Client.Receiving;
using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.Fuzz.Engine;
using Corelift.V1;
using Google.Protobuf;

namespace Corelift.Fuzz.Targets;

/// <summary>
/// The client's assembler, fed by an agent that lies. Where the first byte says so, the trailer's sums are made right, as
/// such an agent would; a core that is then called complete must satisfy the verifier.
/// </summary>
internal sealed class CaptureStreamTarget : IFuzzTarget
{
    private static readonly SnapshotLimits s_limits = new()
    {
        MaxThreads = 16,
        MaxVmas = 32,
        MaxRegions = 64,
        MaxHoles = 32,
        MaxZeroRanges = 32,
        MaxRounds = 8,
        MaxMemoryBytes = 8 << 20,
    };

    public static string Name => "capture-stream";

    public static int MostBytes => 32 * 1024;

    // The receiver has room of 1 MiB for packed chunks; a note reserves some more.
    public static long MostAllocatedBytes => 64L << 20;

    public static IEnumerable<byte[]> Seeds =>
        from capture in (List<CaptureResponse>[])[Captures.Simple(), Captures.Live()]
        from mode in (byte[])[0, 1, 2, 3]
        select (byte[])[mode, .. Captures.ToBytes(capture)];

    public static byte[]? Mutate(byte[] input, Random random) =>
        input.Length > 1 && MessageMutation.Mutate(input[1..], random) is { } changed ? [random.Next(8) == 0 ? (byte)random.Next(4) : input[0], .. changed] : null;

    /// <summary>A stream whose trailer has the sums of what comes before it.</summary>
    internal static byte[] WithSums(byte[] stream)
    {
        Sums sums = new();
        return Captures.ToBytes(Captures.Cut(stream).Select(message => CaptureResponse.Parser.ParseFrom(sums.Correct(message))));
    }

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        bool sumsAreMade = (input[0] & 1) == 0;
        SparseStream file = new(canSeek: (input[0] & 2) == 0);
        try
        {
            using CaptureReceiver receiver = new(file, s_limits, null);
            Sums sums = new();
            foreach (byte[] message in Captures.Cut(input[1..]))
            {
                using CaptureFrame frame = Captures.Frame(sumsAreMade ? sums.Correct(message) : message);
                receiver.Add(frame);
            }

            if (receiver.IsComplete)
            {
                SnapshotResult result = receiver.Finish();
                Verify(file, result);
            }
        }
        catch (Exception failure) when (failure is SnapshotException or CoreFormatException or IOException)
        {
            // What is documented.
        }
    }

    /// <summary>A core that was assembled to its end has nothing that the verifier calls an error.</summary>
    private static void Verify(SparseStream file, SnapshotResult result)
    {
        if (file.Length != result.FileLengthBytes)
        {
            throw new InvalidOperationException($"a file of {file.Length} bytes, not of {result.FileLengthBytes}");
        }

        CoreVerification verification = CoreVerifier.Verify(file.ToSeekable());
        CoreFinding? error = verification.Findings.FirstOrDefault(finding => finding.Severity == CoreFindingSeverity.Error);
        if (error is not null)
        {
            throw new InvalidOperationException($"a complete core, of which the verifier says: {error.Kind}: {error.Message}");
        }
    }

    /// <summary>The sums that a trailer has to have, counted along.</summary>
    private sealed class Sums
    {
        private readonly StreamDigest _digest = new();
        private readonly CaptureTrailer _trailer = new();

        internal byte[] Correct(byte[] message)
        {
            using CaptureFrame frame = Captures.Frame(message);
            if (frame.IsMemory)
            {
                Count(frame);
            }
            else if (frame.Message?.Hole?.Range is { } hole)
            {
                _trailer.HoleBytes = unchecked(_trailer.HoleBytes + hole.End - hole.Start);
            }
            else if (frame.Message?.Zero?.Range is { } zero)
            {
                _trailer.ZeroBytes = unchecked(_trailer.ZeroBytes + zero.End - zero.Start);
            }
            else if (frame.Message?.Trailer is { } trailer)
            {
                _trailer.Digest = _digest.Value;
                _trailer.Pause = trailer.Pause;
                _trailer.Elapsed = trailer.Elapsed;
                _trailer.PartialBecause = trailer.PartialBecause;
                _trailer.Warnings.Add(trailer.Warnings);
                return new CaptureResponse { Trailer = _trailer }.ToByteArray();
            }

            return message;
        }

        private void Count(CaptureFrame frame)
        {
            using ChunkUnpacker unpacker = new();
            try
            {
                ReadOnlySpan<byte> bytes = unpacker.Unpack(frame, null);
                _digest.Append(frame.Address, bytes);
                _trailer.MemoryBytes += (ulong)bytes.Length;
                _trailer.PackedBytes += (ulong)frame.PackedBytes;
                _trailer.ChunkCount++;
            }
            catch (SnapshotException)
            {
                // The receiver will say the same.
            }
        }
    }
}
