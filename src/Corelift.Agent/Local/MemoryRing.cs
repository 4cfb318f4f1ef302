using System.Security.Cryptography;
using Corelift.Agent.Services;
using Corelift.Linux.Memory;
using Grpc.Core;

namespace Corelift.Agent.Local;

/// <summary>
/// Memory that one capture of a client on this host passes through: slots that the agent fills and the client empties, in
/// turn. The bytes go neither through a socket nor through HTTP/2 framing. The client can read it, and change neither its
/// bytes nor its length.
/// </summary>
internal sealed class MemoryRing : IDisposable
{
    /// <summary>Length of a slot: the longest chunk.</summary>
    internal const int SlotBytes = 1024 * 1024;

    /// <summary>How many slots there are.</summary>
    internal const int SlotCount = 6;

    /// <summary>Shorter chunks go into the message itself: they would waste a slot.</summary>
    internal const int LeastBytes = 32 * 1024;

    private readonly SharedBuffer _buffer = SharedBuffer.CreateSealed("corelift-ring", SlotBytes * SlotCount);
    private readonly SemaphoreSlim _free = new(SlotCount, SlotCount);
    private readonly CancellationTokenSource _broken = new();
    private readonly TimeSpan _patience;
    private readonly Lock _lock = new();
    private int _next;
    private bool _disposed;

    /// <summary>A ring that nobody uses yet.</summary>
    /// <param name="ownerUid">Uid of the client.</param>
    /// <param name="patience">How long the client may empty no slot.</param>
    /// <exception cref="Linux.SyscallException">No memory, or an old kernel.</exception>
    internal MemoryRing(uint ownerUid, TimeSpan patience)
    {
        _patience = patience;
        OwnerUid = ownerUid;
        Token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
    }

    /// <summary>Who may name it.</summary>
    internal uint OwnerUid { get; }

    /// <summary>What the client names it by: 32 hexadecimal digits that nobody can guess.</summary>
    internal string Token { get; }

    /// <summary>The descriptor to hand over.</summary>
    internal Microsoft.Win32.SafeHandles.SafeFileHandle File => _buffer.File;

    /// <summary>Copies a chunk into the next slot, waiting until the client has emptied it.</summary>
    /// <param name="bytes">At most <see cref="SlotBytes"/>.</param>
    /// <param name="cancellationToken">The call has ended.</param>
    /// <returns>Offset of the chunk in the ring.</returns>
    /// <exception cref="RpcException">RING_BROKEN: the client has gone, or has emptied no slot for too long.</exception>
    internal async ValueTask<uint> PutAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (!_free.Wait(0, CancellationToken.None))
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _broken.Token);
            try
            {
                if (!await _free.WaitAsync(_patience, either.Token))
                {
                    throw RpcErrors.Make(ErrorReason.RingBroken, $"the client has taken nothing from its ring for {_patience.TotalSeconds} s");
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw Gone();
            }
        }

        lock (_lock)
        {
            if (_disposed)
            {
                throw Gone();
            }

            int offset = _next * SlotBytes;
            _next = (_next + 1) % SlotCount;
            bytes.Span.CopyTo(_buffer.Slice(offset, SlotBytes));
            return (uint)offset;
        }
    }

    /// <summary>The client has emptied slots, in the order in which they were filled.</summary>
    /// <returns>False where it says so of slots that it never had.</returns>
    internal bool TryFree(int count)
    {
        try
        {
            _ = count == 0 ? 0 : _free.Release(count);
            return true;
        }
        catch (SemaphoreFullException)
        {
            return false;
        }
    }

    /// <summary>The client has gone: whoever waits for it, or comes later, is told so.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            _buffer.Dispose();
        }

        _broken.Cancel();
    }

    private static RpcException Gone() => RpcErrors.Make(ErrorReason.RingBroken, "the client has closed its ring, or given back slots that it never had");
}
