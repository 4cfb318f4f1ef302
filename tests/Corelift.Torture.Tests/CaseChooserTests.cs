namespace Corelift.Torture.Tests;

/// <summary>A seed means the same cases always.</summary>
public sealed class CaseChooserTests
{
    private static readonly TortureOptions s_options = new() { Seed = 4711 };

    [Fact]
    public void The_same_seed_draws_the_same_cases()
    {
        CaseChooser one = new(s_options), other = new(s_options);
        TortureCase[] cases = [.. Enumerable.Range(0, 500).Select(one.Choose)];

        Assert.Equal(cases, Enumerable.Range(0, 500).Select(other.Choose));
        Assert.True(cases.Select(drawn => drawn.Name).Distinct().Count() > 100, "cases differ from each other");
        Assert.Equal(Enum.GetValues<Fault>().Length, cases.Select(drawn => drawn.Fault).Distinct().Count());
    }

    [Fact]
    public void The_command_of_a_case_draws_that_case_again()
    {
        CaseChooser chooser = new(s_options);
        for (int number = 0; number < 100; number++)
        {
            TortureCase drawn = chooser.Choose(number);
            string[] words = drawn.Repeat(77).Split(' ');
            Assert.Equal(["./run", "torture"], words[..2]);
            TortureOptions? again = TortureOptions.Parse(words[2..], out string problem);

            Assert.True(again is not null, problem);
            Assert.Equal(drawn with { Moment = 77 }, new CaseChooser(again).Choose(0));
            Assert.Equal(1, again.MaxCases);
        }
    }

    [Theory]
    [InlineData("--only", "canary,nothing")]
    [InlineData("--seed", "x")]
    [InlineData("--minutes", "0")]
    [InlineData("--cases", "0")]
    [InlineData("--seed")]
    [InlineData("--sed", "1")]
    public void A_command_line_that_means_nothing_is_refused(params string[] words)
    {
        Assert.Null(TortureOptions.Parse(words, out string problem));
        Assert.NotEmpty(problem);
    }
}
