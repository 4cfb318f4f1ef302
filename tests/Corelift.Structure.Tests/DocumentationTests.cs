using System.Text.RegularExpressions;

namespace Corelift.Structure.Tests;

/// <summary>What a newcomer reads is there, and short.</summary>
public sealed partial class DocumentationTests
{
    private const int ReadmeLines = 60, FileLines = 300;

    // A file may be longer for a reason, which stands here.
    private static readonly Dictionary<string, string> s_longFiles = new()
    {
        ["tests/tracees/blocking.c"] = "one blocking call after the other, three lines each; a list that nobody reads from top to bottom",
        ["tests/tracees/timeouts.h"] = "one timed call after the other, as in blocking.c",
    };

    [Fact]
    public void Every_project_has_a_README_of_a_page_at_most() => Assert.All(Repository.Projects, project =>
    {
        string readme = project.Folder + "/README.md";
        Assert.True(File.Exists(Path.Combine(Repository.Root, readme)), $"{readme} is missing");
        Assert.InRange(Repository.Lines(readme).Length, 3, ReadmeLines);
    });

    [Fact]
    public void No_file_is_long_without_a_reason()
    {
        string[] tooLong =
        [
            .. ((string[])["*.cs", "*.c", "*.h"]).SelectMany(Repository.Files)
                .Where(path => path.StartsWith("src/", StringComparison.Ordinal) || path.StartsWith("tests/", StringComparison.Ordinal))
                .Where(path => Repository.Lines(path).Length > FileLines && !s_longFiles.ContainsKey(path)),
        ];
        Assert.Empty(tooLong);
    }

    [Fact]
    public void The_reasons_for_long_files_are_of_files_that_are_long() =>
        Assert.All(s_longFiles.Keys, path => Assert.True(Repository.Lines(path).Length > FileLines, $"{path} needs no reason any more"));

    [Fact]
    public void Every_name_of_the_wire_contract_has_a_comment_of_its_own()
    {
        List<string> bare = [];
        int names = 0;
        foreach (string path in Repository.Files("*.proto"))
        {
            string[] lines = Repository.Lines(path);
            for (int i = 1; i < lines.Length; i++)
            {
                if (Definition().IsMatch(lines[i]))
                {
                    names++;
                    if (!lines[i - 1].TrimStart().StartsWith("//", StringComparison.Ordinal))
                    {
                        bare.Add($"{path}:{i + 1}: {lines[i].Trim()}");
                    }
                }
            }
        }

        Assert.True(names > 150, $"only {names} names found: the pattern no longer matches the contract");
        Assert.Empty(bare);
    }

    [GeneratedRegex(@"^\s*(message|service|enum|rpc)\s+\w+|^\s+[\w.<>, ]+\s\w+\s=\s\d+;")]
    private static partial Regex Definition();
}
