using System.Xml.Linq;

namespace Corelift.Structure.Tests;

/// <summary>A project of the repository, as its csproj says.</summary>
internal sealed record SourceProject(string Name, string Folder, bool IsTest, IReadOnlyList<string> References);

/// <summary>The files of the repository; build output left out.</summary>
internal static class Repository
{
    private static readonly string[] s_generated = ["bin", "obj", "artifacts", "node_modules", ".git"];

    internal static string Root { get; } = FindRoot();

    /// <summary>Projects of src and tests; the tracees are targets, no projects of the product.</summary>
    internal static IReadOnlyList<SourceProject> Projects { get; } =
        [.. Files("*.csproj").Where(path => !path.StartsWith("tests/tracees/", StringComparison.Ordinal)).Select(Read)];

    /// <summary>Paths of files from the root on, with forward slashes.</summary>
    internal static IEnumerable<string> Files(string pattern) =>
        Directory.EnumerateFiles(Root, pattern, SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Root, path))
            .Where(path => !path.Split('/').Any(s_generated.Contains));

    internal static string[] Lines(string path) => File.ReadAllLines(Path.Combine(Root, path));

    private static SourceProject Read(string path)
    {
        XDocument project = XDocument.Load(Path.Combine(Root, path));
        string[] references = [.. project.Descendants("ProjectReference").Select(item => Path.GetFileNameWithoutExtension(item.Attribute("Include")!.Value.Replace('\\', '/')))];
        return new SourceProject(Path.GetFileNameWithoutExtension(path), Path.GetDirectoryName(path)!, path.StartsWith("tests/", StringComparison.Ordinal), references);
    }

    private static string FindRoot()
    {
        DirectoryInfo? at = new(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "Agent.sln")))
        {
            at = at.Parent;
        }

        return at?.FullName ?? throw new InvalidOperationException("no Agent.sln above the tests");
    }
}
