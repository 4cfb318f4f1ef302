using System.Security.Cryptography;
using Corelift.Agent.Services;
using Corelift.Linux.Memory;
using Grpc.Core;

namespace Corelift.Agent.Local;

/// <summary>
/// Memory that one capture of a client on this host passes through: slots that the agent fills and the client empties, in
/// turn. The bytes go neither through a socket nor through HTTP/2 framing. The client can read it, and change neither its
/// bytes nor its length. It is there until both the client's connection and the capture have let go of it.
/// </summary>
internal sealed class MemoryRing : IDisposable
{
    /// <summary>Length of a slot: the longest chunk.</summary>
    internal const int SlotBytes = 1024 * 1024;

    /// <summary>How many slots there are.</summary>
    internal const int SlotCount = 6;

    private readonly SharedBuffer _buffer = SharedBuffer.CreateSealed("corelift-ring", SlotBytes * SlotCount);
    private readonly SemaphoreSlim _free = new(SlotCount, SlotCount);
    private readonly CancellationTokenSource _broken = new();
    private readonly TimeSpan _patience;
    private readonly Lock _lock = new();
    private readonly int[] _uses = new int[SlotCount];
    private readonly Queue<int> _chunks = new(); // slots of the chunks that the client has not given back
    private int _next;
    private int _holders = 1;

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

    /// <summary>Holds the memory for one more; false where it has gone.</summary>
    internal bool TryHold()
    {
        lock (_lock)
        {
            _holders += _holders > 0 ? 1 : 0;
            return _holders > 0;
        }
    }

    /// <summary>Takes the next slot, waiting until the client has emptied it. Give it back by <see cref="Leave"/>.</summary>
    /// <param name="cancellationToken">The call has ended.</param>
    /// <returns>Its number.</returns>
    /// <exception cref="RpcException">RING_BROKEN: the client has gone, or has emptied no slot for too long.</exception>
    internal async ValueTask<int> TakeAsync(CancellationToken cancellationToken)
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
            int slot = _next;
            _next = (_next + 1) % SlotCount;
            _uses[slot] = 1;
            return slot;
        }
    }

    /// <summary>The memory of a slot.</summary>
    internal Memory<byte> Slot(int slot) => _buffer.Memory(slot * SlotBytes, SlotBytes);

    /// <summary>A chunk in a slot that was taken is the client's from now on.</summary>
    /// <exception cref="RpcException">RING_BROKEN: the client has gone.</exception>
    internal void Give(int slot)
    {
        lock (_lock)
        {
            if (_broken.IsCancellationRequested)
            {
                throw Gone();
            }

            _uses[slot]++;
            _chunks.Enqueue(slot);
        }
    }

    /// <summary>Nothing more comes into a slot; it is free when the client has given its chunks back.</summary>
    internal void Leave(int slot)
    {
        lock (_lock)
        {
            EndUse(slot);
        }
    }

    /// <summary>The client has read chunks, in the order in which they were given.</summary>
    /// <returns>False where it says so of chunks that it never had.</returns>
    internal bool TryFree(int count)
    {
        lock (_lock)
        {
            for (; count > 0 && _chunks.TryDequeue(out int slot); count--)
            {
                EndUse(slot);
            }

            return count == 0;
        }
    }

    /// <summary>The client has gone: whoever waits for it, or comes later, is told so.</summary>
    internal void Break() => _broken.Cancel();

    /// <summary>One who held it lets go; with the last the memory goes.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (--_holders == 0)
            {
                _buffer.Dispose();
            }
        }
    }

    private void EndUse(int slot)
    {
        if (--_uses[slot] == 0)
        {
            _free.Release();
        }
    }

    private static RpcException Gone() => RpcErrors.Make(ErrorReason.RingBroken, "the client has closed its ring, or given back slots that it never had");
}
