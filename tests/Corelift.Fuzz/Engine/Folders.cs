using System.Security.Cryptography;

namespace Corelift.Fuzz.Engine;

/// <summary>Where inputs lie: the corpus, which is part of the repository, and what runs found, which is not.</summary>
internal sealed class Folders
{
    private readonly string _root;

    /// <param name="root">The repository.</param>
    /// <param name="target">Name of the target.</param>
    internal Folders(string root, string target)
    {
        _root = root;
        Corpus = Path.Combine(root, "tests", "Corelift.Fuzz", "corpus", target);
        string work = Path.Combine(root, "artifacts", "fuzz", target);
        Queue = Path.Combine(work, "queue");
        Findings = Path.Combine(work, "findings");
        Current = Path.Combine(work, "current");
    }

    internal string Corpus { get; }

    /// <summary>Inputs that showed something new, of all runs so far.</summary>
    internal string Queue { get; }

    internal string Findings { get; }

    internal string Current { get; }

    /// <summary>The repository that a program of it was built in.</summary>
    internal static string FindRoot()
    {
        DirectoryInfo? at = new(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "Agent.sln")))
        {
            at = at.Parent;
        }

        return at?.FullName ?? throw new InvalidOperationException("no Agent.sln above the program");
    }

    internal void Create()
    {
        Directory.CreateDirectory(Queue);
        Directory.CreateDirectory(Findings);
    }

    /// <summary>The inputs of the corpus, in the order of their names.</summary>
    internal IEnumerable<(string Name, byte[] Input)> ReadCorpus() => Read(Corpus);

    /// <summary>The inputs of earlier runs, in the order of their names.</summary>
    internal IEnumerable<(string Name, byte[] Input)> ReadQueue() => Read(Queue);

    /// <summary>Writes an input under a name made of what it holds.</summary>
    internal static string Write(string folder, byte[] input)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(input).AsSpan(0, 8)));
        File.WriteAllBytes(path, input);
        return path;
    }

    /// <summary>Writes a finding: the input, and beside it what it shows.</summary>
    internal string Write(Finding finding)
    {
        string path = Write(Findings, finding.Input);
        File.WriteAllText(path + ".txt", $"{finding.Kind}\n\n{finding.Text}\n");
        return Path.GetRelativePath(_root, path);
    }

    private static IEnumerable<(string Name, byte[] Input)> Read(string folder) => Directory.Exists(folder)
        ? Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(path => (Path.GetFileName(path), File.ReadAllBytes(path)))
        : [];
}
