namespace Corelift.Structure.Tests;

/// <summary>Who may reference whom. The kernel's ABI and the wire contract meet in the agent alone.</summary>
public sealed class ProjectGraphTests
{
    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["Corelift.Linux"] = [],
        ["Corelift.Contracts"] = [],
        ["Corelift.Elf"] = [],
        ["Corelift.Capture"] = ["Corelift.Linux"],

        // The age format, which the agent writes and the client reads: neither knows the other.
        ["Corelift.Sealing"] = [],
        ["Corelift.Agent"] = ["Corelift.Capture", "Corelift.Contracts", "Corelift.Sealing"],
        ["Corelift.Client"] = ["Corelift.Contracts", "Corelift.Elf", "Corelift.Sealing"],
        ["Corelift.Cli"] = ["Corelift.Client"],
        ["Corelift.Collector"] = ["Corelift.Client"],
        ["Corelift.Console"] = ["Corelift.Collector"],
    };

    // What shares no code with what it judges.
    private static readonly Dictionary<string, string[]> s_allowedTests = new()
    {
        ["Corelift.Testing"] = ["Corelift.Contracts"],
        ["Corelift.Benchmarks"] = ["Corelift.Testing", "Corelift.Contracts"],
        ["Corelift.EndToEnd.Tests"] = ["Corelift.Testing", "Corelift.Contracts"],
        ["Corelift.Packaging.Tests"] = ["Corelift.Testing"],
        ["Corelift.Torture"] = ["Corelift.Testing", "Corelift.Contracts"],
        ["Corelift.Torture.Tests"] = ["Corelift.Torture", "Corelift.Testing", "Corelift.Contracts"],
        ["Corelift.Structure.Tests"] = [],
    };

    [Fact]
    public void The_graph_is_not_empty() => Assert.Contains(Repository.Projects, project => project is { Name: "Corelift.Agent", References.Count: > 0 });

    [Fact]
    public void Projects_of_src_reference_what_the_architecture_allows() => Assert.All(
        Repository.Projects.Where(project => !project.IsTest),
        project => Assert.Empty(project.References.Except(s_allowed.GetValueOrDefault(project.Name) ?? throw new InvalidOperationException($"{project.Name} is in no row of the table"))));

    [Fact]
    public void Judges_share_no_code_with_what_they_judge() => Assert.All(
        s_allowedTests, rule => Assert.Empty(Repository.Projects.Single(project => project.Name == rule.Key).References.Except(rule.Value)));

    [Fact]
    public void Nothing_of_src_references_a_test() => Assert.DoesNotContain(
        Repository.Projects.Where(project => !project.IsTest).SelectMany(project => project.References),
        name => Repository.Projects.Any(project => project.IsTest && project.Name == name));

    [Fact]
    public void Folder_project_and_name_are_one() =>
        Assert.All(Repository.Projects, project => Assert.Equal(project.Name, Path.GetFileName(project.Folder)));

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        string solution = string.Join('\n', Repository.Lines("Agent.sln"));
        Assert.All(Repository.Projects, project => Assert.Contains($"\"{project.Name}\"", solution, StringComparison.Ordinal));
    }
}
