using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>The answers of a tracee: words, some of them KEY=VALUE.</summary>
internal static class TraceeAnswer
{
    internal static long Number(string answer, string key)
    {
        string prefix = key + "=";
        string word = answer.Split(' ').FirstOrDefault(word => word.StartsWith(prefix, StringComparison.Ordinal))
            ?? throw new TestingException($"no {key} in '{answer}'");
        return long.Parse(word[prefix.Length..], CultureInfo.InvariantCulture);
    }
}
