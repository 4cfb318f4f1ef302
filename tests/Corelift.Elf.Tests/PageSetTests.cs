namespace Corelift.Elf.Tests;

public sealed class PageSetTests
{
    [Fact]
    public void A_set_is_what_an_array_would_be()
    {
        const int Pages = 3000; // some blocks
        for (int seed = 0; seed < 50; seed++)
        {
            Random random = new(seed);
            PageSet set = new();
            bool[] expected = new bool[Pages];
            for (int step = 0; step < 60; step++)
            {
                int first = random.Next(Pages);
                int count = random.Next(0, Math.Min(Pages - first, step % 5 == 0 ? 2000 : 130) + 1);
                bool isIn = random.Next(3) > 0;
                if (isIn)
                {
                    set.Add((ulong)first, (ulong)count);
                }
                else
                {
                    set.Remove((ulong)first, (ulong)count);
                }

                Array.Fill(expected, isIn, first, count);
                int at = random.Next(Pages);
                int length = random.Next(Pages - at + 1);
                bool[] part = expected[at..(at + length)];
                Assert.Equal((ulong)part.Count(isIn => isIn), set.Count((ulong)at, (ulong)length));
                Assert.Equal(part.Any(isIn => isIn), set.Overlaps((ulong)at, (ulong)length));
            }

            Assert.All(expected.Index(), page => Assert.Equal(page.Item, set.Contains((ulong)page.Index)));
            bool[] ofRuns = new bool[Pages];
            ulong last = 0;
            foreach ((ulong first, ulong count) in set.Runs(100, Pages - 200))
            {
                Assert.True(first >= last && count > 0);
                last = first + count;
                Array.Fill(ofRuns, true, (int)first, (int)count);
            }

            Assert.Equal(expected.Select((isIn, page) => isIn && page is >= 100 and < Pages - 100), ofRuns);
        }
    }

    [Fact]
    public void Pages_that_lie_far_apart_are_found_at_once()
    {
        PageSet set = new();
        set.Add(1UL << 50, 1);
        set.Add(7, 1);

        Assert.Equal(2UL, set.Count(0, 1UL << 51)); // by what there is, not by going through the range
        Assert.Equal([(7UL, 1UL), (1UL << 50, 1UL)], set.Runs(0, 1UL << 51));
        set.Remove(0, 1UL << 51);
        Assert.False(set.Overlaps(0, 1UL << 51));
    }
}
