using System.Text.RegularExpressions;

namespace Corelift.Testing.Oracles;

/// <summary>delve as a reader of cores of Go programs.</summary>
public static partial class Delve
{
    /// <summary>Function names of each goroutine's frames, innermost first, one array a goroutine.</summary>
    public static async Task<IReadOnlyList<string[]>> GoroutinesAsync(string executable, string core)
    {
        using ScratchFolder scratch = new();
        string commands = scratch.File("commands");
        await File.WriteAllTextAsync(commands, "goroutines -t 12\nexit\n");
        CommandResult result = await Command.RunAsync(
            "dlv",
            ["core", executable, core, "--check-go-version=false", "--allow-non-terminal-interactive=true", "--init", commands],
            new Dictionary<string, string> { ["HOME"] = scratch.Path });
        return [.. Heading().Split(result.Checked().Output).Skip(1).Select(part => Frame().Matches(part).Select(match => match.Groups[1].Value).ToArray())];
    }

    [GeneratedRegex(@"^[* ] Goroutine \d+ ", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^\s+\d+  0x[0-9a-f]+ in (\S+)", RegexOptions.Multiline)]
    private static partial Regex Frame();
}
