using System.Globalization;
using System.Text.RegularExpressions;

namespace Corelift.Testing.Oracles;

/// <summary>lldb as a reader of cores.</summary>
public static partial class Lldb
{
    /// <summary>Function names of each thread's frames, innermost first, by tid.</summary>
    public static async Task<IReadOnlyDictionary<int, string[]>> BacktracesAsync(string executable, string core)
    {
        CommandResult result = await Command.RunAsync("lldb", ["--no-lldbinit", "--batch", "--core", core, executable, "--one-line", "thread list", "--one-line", "bt all"]);
        string output = result.Checked().Output;
        Dictionary<int, int> tidOfIndex = Listed().Matches(output).DistinctBy(match => match.Groups[1].Value)
            .ToDictionary(match => Number(match.Groups[1].Value), match => Number(match.Groups[2].Value));
        Dictionary<int, string[]> traces = [];
        string[] parts = Heading().Split(output[Math.Max(0, output.IndexOf("(lldb) bt all", StringComparison.Ordinal))..]);
        for (int i = 1; i + 1 < parts.Length; i += 2)
        {
            traces[tidOfIndex[Number(parts[i])]] = [.. Frame().Matches(parts[i + 1]).Select(match => match.Groups[1].Value)];
        }

        return traces;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"thread #(\d+): tid = (\d+)")]
    private static partial Regex Listed();

    [GeneratedRegex(@"^[* ] thread #(\d+),[^\n]*\n", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"frame #\d+: 0x[0-9a-f]+ [^`\n]*`([^ (+\n]+)")]
    private static partial Regex Frame();
}
