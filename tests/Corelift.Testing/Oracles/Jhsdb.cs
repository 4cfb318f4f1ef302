using System.Globalization;
using System.Text.RegularExpressions;

namespace Corelift.Testing.Oracles;

/// <summary>jhsdb, the JDK's own debugger, as a reader of cores of Java programs.</summary>
public static partial class Jhsdb
{
    /// <summary>Methods of each Java thread's frames ("JavaTarget.sleep"), innermost first, by the thread's name.</summary>
    public static async Task<IReadOnlyDictionary<string, string[]>> StacksAsync(string executable, string core)
    {
        string output = await RunAsync(executable, core, "jstack");
        MatchCollection headings = Heading().Matches(output);
        Dictionary<string, string[]> stacks = [];
        for (int i = 0; i < headings.Count; i++)
        {
            int end = i + 1 < headings.Count ? headings[i + 1].Index : output.Length;
            string part = output[headings[i].Index..end];
            stacks[headings[i].Groups[1].Value] = [.. Frame().Matches(part).Select(match => match.Groups[1].Value)];
        }

        return stacks;
    }

    /// <summary>How many objects of a class the heap holds.</summary>
    public static async Task<int> InstancesAsync(string executable, string core, string type)
    {
        string output = await RunAsync(executable, core, "jmap", "--histo");
        string count = Instances().Matches(output).Single(match => match.Groups[2].Value == type).Groups[1].Value;
        return int.Parse(count, CultureInfo.InvariantCulture);
    }

    private static async Task<string> RunAsync(string executable, string core, string tool, params string[] more) =>
        (await Command.RunAsync("jhsdb", [tool, .. more, "--exe", executable, "--core", core])).Checked().Output;

    [GeneratedRegex("^\"(.+?)\" #\\d+ ", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^ - ([\w.$]+)\(.*@bci=", RegexOptions.Multiline)]
    private static partial Regex Frame();

    [GeneratedRegex(@"^\d+:\s+(\d+)\s+\d+\s+(\S+)$", RegexOptions.Multiline)]
    private static partial Regex Instances();
}
