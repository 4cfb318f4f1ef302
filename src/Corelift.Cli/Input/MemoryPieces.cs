using System.Runtime.CompilerServices;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Input;

/// <summary>A part of a range that was read: bytes, or why there are none.</summary>
internal readonly record struct MemoryPiece(ulong Start, ulong End, ReadOnlyMemory<byte> Bytes, string? Missing);

/// <summary>Reads a range of a stopped target without a gap: what the agent leaves out is zero.</summary>
internal static class MemoryPieces
{
    private static readonly byte[] s_zeros = new byte[64 * 1024];

    internal static async IAsyncEnumerable<MemoryPiece> ReadAsync(
        CoreliftClient client, string lease, AddressRange range, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ulong at = range.Start;
        await foreach (ReadMemoryResponse answer in client.ReadMemoryAsync(lease, [range], cancellation))
        {
            MemoryPiece piece = ToPiece(answer);
            if (piece.Start < at || piece.End <= piece.Start || piece.End > range.End)
            {
                throw new SnapshotException(SnapshotFailure.Violation, "the agent broke the protocol: it sent memory that was not asked for");
            }

            foreach (MemoryPiece zeros in Zeros(at, piece.Start))
            {
                yield return zeros;
            }

            yield return piece;
            at = piece.End;
        }

        foreach (MemoryPiece zeros in Zeros(at, range.End))
        {
            yield return zeros;
        }
    }

    private static MemoryPiece ToPiece(ReadMemoryResponse answer) => answer.PartCase switch
    {
        ReadMemoryResponse.PartOneofCase.Chunk when answer.Chunk.LengthBytes == answer.Chunk.Data.Length =>
            new MemoryPiece(
                answer.Chunk.Address, unchecked(answer.Chunk.Address + answer.Chunk.LengthBytes), answer.Chunk.Data.Memory, null),
        ReadMemoryResponse.PartOneofCase.Hole when answer.Hole.Range is { } range =>
            new MemoryPiece(range.Start, range.End, default, answer.Hole.Reason.ToString()),
        _ => default, // an empty range, which is refused
    };

    private static IEnumerable<MemoryPiece> Zeros(ulong start, ulong end)
    {
        while (start < end)
        {
            int length = (int)Math.Min(end - start, (ulong)s_zeros.Length);
            yield return new MemoryPiece(start, start + (ulong)length, s_zeros.AsMemory(0, length), null);
            start += (ulong)length;
        }
    }
}
