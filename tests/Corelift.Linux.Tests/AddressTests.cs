using Corelift.Linux.Memory;

namespace Corelift.Linux.Tests;

public sealed class AddressTests
{
    [Fact]
    public void Addresses_compare_add_and_subtract()
    {
        var low = new RemoteAddress(0x1000);
        RemoteAddress high = low + 0x2000;
        Assert.True(low < high && high > low && low <= high && high >= low);
        Assert.Equal(0x2000UL, high - low);
        Assert.Equal(low, high - 0x2000UL);
        Assert.Equal("0x3000", high.ToString());
    }

    [Fact]
    public void Sums_and_differences_that_do_not_fit_are_errors()
    {
        Assert.Throws<OverflowException>(() => new RemoteAddress(ulong.MaxValue) + 1);
        Assert.Throws<OverflowException>(() => new RemoteAddress(0) - new RemoteAddress(1));
    }
}
