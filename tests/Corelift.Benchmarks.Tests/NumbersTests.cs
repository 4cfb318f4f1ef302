namespace Corelift.Benchmarks.Tests;

public sealed class NumbersTests
{
    [Theory]
    [InlineData(0.5, 5)]
    [InlineData(0.9, 9)]
    [InlineData(0.99, 10)]
    [InlineData(1, 10)]
    [InlineData(0.01, 1)]
    public void A_percentile_is_a_repeat_that_was_measured(double share, int expected) =>
        Assert.Equal(Milliseconds(expected), Enumerable.Range(1, 10).Reverse().Select(value => Milliseconds(value)).Percentile(share));

    [Fact]
    public void The_median_of_an_even_number_lies_between_the_middle_two()
    {
        Assert.Equal(Milliseconds(2.5), ((TimeSpan[])[Milliseconds(9), Milliseconds(2), Milliseconds(3), Milliseconds(1)]).Median());
        Assert.Equal(Milliseconds(3), ((TimeSpan[])[Milliseconds(9), Milliseconds(3), Milliseconds(1)]).Median());
    }

    [Theory]
    [InlineData(1000, 1, "1/1,000")]
    [InlineData(10, 10, "1/1")]
    [InlineData(10, 25, "2.5 times")]
    [InlineData(10, 0, "none")]
    public void A_ratio_says_which_is_smaller(double whole, double part, string expected) =>
        Assert.Equal(expected, Numbers.Ratio(Milliseconds(whole), Milliseconds(part)));

    private static TimeSpan Milliseconds(double value) => TimeSpan.FromMilliseconds(value);
}
