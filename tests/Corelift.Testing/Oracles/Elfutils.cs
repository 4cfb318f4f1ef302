using System.Globalization;
using System.Text.RegularExpressions;

namespace Corelift.Testing.Oracles;

/// <summary>eu-readelf and eu-stack as readers of cores.</summary>
public static partial class Elfutils
{
    /// <summary>Names of all notes in order ("PRSTATUS", "AUXV" ...), as eu-readelf reads them.</summary>
    public static async Task<IReadOnlyList<string>> NoteTypesAsync(string core) =>
        [.. Note().Matches(await NotesAsync(core)).Select(match => match.Groups[1].Value)];

    /// <summary>The text of <c>eu-readelf --notes</c>; a complaint of it is a failure.</summary>
    public static async Task<string> NotesAsync(string core)
    {
        CommandResult result = (await Command.RunAsync("eu-readelf", ["--notes", core])).Checked();
        return result.Errors.Length == 0 ? result.Output : throw new TestingException(result.Errors);
    }

    /// <summary>Function names of each thread's frames, innermost first, by tid.</summary>
    public static async Task<IReadOnlyDictionary<int, string[]>> BacktracesAsync(string executable, string core)
    {
        // Exit code 1 where a frame could not be unwound; libc's outermost one is such a frame at times.
        CommandResult result = await Command.RunAsync("eu-stack", ["--core", core, "--executable", executable, "-n", "64"]);
        Dictionary<int, string[]> traces = [];
        string[] parts = Heading().Split(result.Output);
        for (int i = 1; i + 1 < parts.Length; i += 2)
        {
            traces[int.Parse(parts[i], CultureInfo.InvariantCulture)] = [.. Frame().Matches(parts[i + 1]).Select(match => match.Groups[1].Value)];
        }

        return traces;
    }

    [GeneratedRegex(@"^  (?:CORE|LINUX|[A-Za-z][\w.]*) +\d+  (\S+)", RegexOptions.Multiline)]
    private static partial Regex Note();

    [GeneratedRegex(@"^TID (\d+):\n", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^#\d+ +0x[0-9a-f]+ (?:- \d+ )?(\S+)", RegexOptions.Multiline)]
    private static partial Regex Frame();
}
