namespace Corelift.Testing;

/// <summary>Where this repository's files are, and what <c>./run</c> built from them.</summary>
public static class Artifacts
{
    /// <summary>The repository's top folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The published agent.</summary>
    public static string Agent => Existing("CORELIFT_TEST_AGENT", "artifacts/bin/corelift-agent");

    /// <summary>The published command-line client.</summary>
    public static string Cli => Existing("CORELIFT_TEST_CLI", "artifacts/bin/corelift");

    /// <summary>A built tracee.</summary>
    public static string Tracee(string name) => Existing(null, $"artifacts/tracees/{name}");

    private static string Existing(string? variable, string relative)
    {
        string? named = variable is null ? null : Environment.GetEnvironmentVariable(variable);
        string path = string.IsNullOrEmpty(named) ? Path.Combine(Root, relative) : named;
        return File.Exists(path) ? path : throw new TestingException($"{path} is missing; './run test' builds it");
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Agent.sln")))
            {
                return at.FullName;
            }
        }

        throw new TestingException($"no Agent.sln above {AppContext.BaseDirectory}");
    }
}
