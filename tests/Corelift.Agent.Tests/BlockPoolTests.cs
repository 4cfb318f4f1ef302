using System.Buffers;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Tests;

public sealed class BlockPoolTests
{
    [Fact]
    public void A_block_that_came_back_is_given_out_again()
    {
        using MemoryPool<byte> pool = new BlockPoolFactory().Create();
        IMemoryOwner<byte> first = pool.Rent(BlockPool.BlockBytes);
        Memory<byte> memory = first.Memory;
        Assert.Equal(BlockPool.BlockBytes, memory.Length);
        using (IMemoryOwner<byte> other = pool.Rent())
        {
            Assert.False(memory.Span.Overlaps(other.Memory.Span));
            first.Dispose();
            using IMemoryOwner<byte> again = pool.Rent(1);
            Assert.True(memory.Span == again.Memory.Span);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(BlockPool.BlockBytes + 1));
    }

    [Fact]
    public void What_a_burst_took_is_not_kept()
    {
        const int Burst = BlockPool.MostFree * 2;
        using MemoryPool<byte> pool = new BlockPoolFactory().Create();
        var seen = new HashSet<IMemoryOwner<byte>>(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < Burst; i++)
        {
            seen.Add(pool.Rent());
        }

        foreach (IMemoryOwner<byte> block in seen)
        {
            block.Dispose();
        }

        Assert.Equal(BlockPool.MostFree, Enumerable.Range(0, Burst).Count(_ => seen.Contains(pool.Rent())));
    }
}
