using Corelift.Agent.Audit;

namespace Corelift.Agent.Tests.Audit;

public sealed class CommandLineRedactionTests
{
    [Theory]
    [InlineData("app --password=hunter2 --verbose", "app --password=*** --verbose")]
    [InlineData("app --db-password hunter2 file", "app --db-password *** file")]
    [InlineData("app --token --other", "app --token --other")]
    [InlineData("app API_KEY=abc", "app API_KEY=***")]
    [InlineData("app postgres://joe:hunter2@db/x", "app postgres://joe:***@db/x")]
    [InlineData("app -Dspring.datasource.password=hunter2", "app -Dspring.datasource.password=***")]
    [InlineData("app --author=me --path=/token/x", "app --author=me --path=/token/x")]
    [InlineData("app AKIA123", "app ***")]
    public void What_is_named_like_a_secret_is_taken_out(string line, string expected) =>
        Assert.Equal(expected, string.Join(' ', new CommandLineRedaction(["AKIA[0-9]+"]).Redact(line.Split(' '))));

    [Theory]
    [InlineData("Authorization: abc123")]
    [InlineData("Authorization: Bearer abc123")]
    public void A_header_in_one_argument_is_taken_out(string header) =>
        Assert.Equal("Authorization: ***", new CommandLineRedaction([]).Redact([header])[0]);

    [Fact]
    public void Long_lines_are_cut_and_slow_patterns_show_nothing()
    {
        Assert.Equal(65, new CommandLineRedaction([]).Redact([.. Enumerable.Repeat("x", 1000)]).Count);
        Assert.Equal(259, new CommandLineRedaction([]).Redact([new string('x', 10_000)])[0].Length);
        Assert.Equal("***", new CommandLineRedaction(["(a+)+$"]).Redact([new string('a', 60) + "!"])[0]);
    }
}
