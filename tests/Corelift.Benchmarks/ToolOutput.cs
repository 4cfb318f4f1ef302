namespace Corelift.Benchmarks;

/// <summary>What programs print, cut to what fits a cell of a table.</summary>
internal static class ToolOutput
{
    private const int Longest = 160;

    internal static string OneLine(this string text) => Cut(string.Join(' ', Lines(text)));

    internal static string LastLine(this string text) => Cut(Lines(text).LastOrDefault() ?? "nothing said");

    /// <summary>The first line that speaks of an error and says more than that there was one.</summary>
    internal static string FirstError(this string text) => Cut(
        Lines(text).FirstOrDefault(line => line.Contains("Error", StringComparison.Ordinal) && !line.Contains("exited, status", StringComparison.Ordinal))
        ?? text.LastLine());

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string Cut(string text) => text.Length <= Longest ? text : text[..(Longest - 3)] + "...";
}
