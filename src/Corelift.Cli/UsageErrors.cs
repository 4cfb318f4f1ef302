using System.CommandLine;
using Corelift.Cli.Input;
using Corelift.Cli.Output;

namespace Corelift.Cli;

/// <summary>Says what is wrong with a command line, and what may have been meant.</summary>
internal static class UsageErrors
{
    internal static void Print(ParseResult parsed, CliConsole console)
    {
        // After a word that is unknown, what follows was not understood as it was meant: the first is the one to correct.
        IEnumerable<string> messages = parsed.UnmatchedTokens is [string unknown, ..]
            ? [Describe(unknown, parsed.CommandResult.Command)]
            : parsed.Errors.Select(error => error.Message).Distinct();
        foreach (string message in messages)
        {
            console.Error.WriteLine($"corelift: {TerminalText.Escape(message)}");
        }

        string command = parsed.CommandResult.Command is RootCommand ? "" : $"{parsed.CommandResult.Command.Name} ";
        console.Error.WriteLine($"Try 'corelift {command}--help'.");
    }

    private static string Describe(string unknown, Command command)
    {
        string place = command is RootCommand ? "corelift" : $"'corelift {command.Name}'";
        if (unknown.StartsWith('-'))
        {
            IEnumerable<Option> options = command.Options.Concat(command.Parents.OfType<Command>().SelectMany(parent => parent.Options.Where(option => option.Recursive)));
            return $"{place} has no option '{unknown}'{Meant(unknown, options.Where(option => !option.Hidden).Select(option => option.Name))}";
        }

        return command is RootCommand
            ? $"there is no command '{unknown}'{Meant(unknown, command.Subcommands.Select(each => each.Name))}"
            : $"{place} takes no further argument '{unknown}'";
    }

    private static string Meant(string unknown, IEnumerable<string> names) =>
        NearestName.Find(unknown, names) is { } name ? $"; did you mean '{name}'?" : "";
}
