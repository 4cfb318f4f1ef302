using Corelift.Agent.Access;
using Corelift.Agent.Audit;
using Corelift.Capture.Sessions;
using Corelift.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corelift.Agent.Services;

/// <summary>Streams memory of a target that is stopped under a lease: bytes, and holes where nothing can or may be read.</summary>
internal sealed class LeaseMemoryReader(StopLease lease, Operation operation, SecretRanges secrets, IServerStreamWriter<ReadMemoryResponse> stream)
{
    private const int PieceBytes = 256 * 1024;
    private const ulong PageBytes = 4096;

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(PieceBytes);
    private ulong _sentBytes;
    private ulong _holeStart;
    private HoleReason _hole; // of the hole that is open; Unspecified where none is

    /// <summary>Streams a range.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED: above the policy's limit on bytes.</exception>
    internal async Task ReadAsync(AddressRange range, CancellationToken cancellationToken)
    {
        for (ulong address = range.Start; address < range.End;)
        {
            ulong change = Math.Min(range.End, secrets.NextChange(address, out bool isSecret));
            if (isSecret)
            {
                await SetHoleAsync(HoleReason.Secret, address, cancellationToken);
                address = change;
                continue;
            }

            int wanted = (int)Math.Min(change - address, PieceBytes);
            if (operation.Ticket.LimitsBytes)
            {
                operation.RequireBytes(_sentBytes + (ulong)wanted);
            }

            int read = await lease.ReadAsync(address, _buffer.AsMemory(0, wanted), cancellationToken);
            if (read == 0)
            {
                await SetHoleAsync(HoleReason.Unreadable, address, cancellationToken);
                address = Math.Min(change, (address & ~(PageBytes - 1)) + PageBytes);
                continue;
            }

            await SetHoleAsync(HoleReason.Unspecified, address, cancellationToken);
            var chunk = new MemoryChunk { Address = address, LengthBytes = (uint)read, Data = UnsafeByteOperations.UnsafeWrap(_buffer.AsMemory(0, read)) };
            await stream.WriteAsync(new ReadMemoryResponse { Chunk = chunk }, cancellationToken);
            address += (ulong)read;
            _sentBytes += (ulong)read;
            operation.Result = new AuditResult { Bytes = (long)_sentBytes };
        }

        await SetHoleAsync(HoleReason.Unspecified, range.End, cancellationToken);
    }

    /// <summary>From an address on there is a hole of this reason, or none: one that is open ends there.</summary>
    private async Task SetHoleAsync(HoleReason reason, ulong address, CancellationToken cancellationToken)
    {
        if (_hole == reason)
        {
            return;
        }

        if (_hole != HoleReason.Unspecified)
        {
            var hole = new Hole { Range = WireMapping.ToRange(_holeStart, address), Reason = _hole };
            await stream.WriteAsync(new ReadMemoryResponse { Hole = hole }, cancellationToken);
        }

        (_hole, _holeStart) = (reason, address);
    }
}
