using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Corelift.Cli.Commands;

namespace Corelift.Cli;

/// <summary>The commands, put together.</summary>
internal static class CommandLine
{
    internal static Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("Lifts a core out of a running process without putting the process down.")
        {
            Arguments.Agent,
            Arguments.Json,
            PsCommand.Create(),
            InspectCommand.Create(),
            PlanCommand.Create(),
            SnapshotCommand.Create(),
            StopCommand.Create(),
            ResumeCommand.Create(),
            ThreadsCommand.Create(),
            ReadCommand.Create(),
            VerifyCommand.Create(),
            VersionCommand.Create(),
            CompletionCommand.Create(),
        };
        AddExamples(root, new Dictionary<string, string>
        {
            [root.Name] = "corelift ps\n  corelift snapshot 4242 -o app.core\n  gdb -q /path/to/app app.core" + "\n" + ExitCodes.Help,
            ["ps"] = "corelift ps --name postgres\n  corelift ps --uid 1000 --json",
            ["inspect"] = "corelift inspect 4242\n  corelift inspect nginx --json",
            ["plan"] = "corelift plan 4242 --content full",
            ["snapshot"] = "corelift snapshot 4242\n  corelift snapshot redis-server -o redis.core --strategy fork\n  corelift snapshot 4242 --content stacks --json\n  corelift snapshot 4242 -o - | zstd > app.core.zst" + "\n" + ExitCodes.Help,
            ["stop"] = "corelift stop 4242 --ttl 10s\n  corelift stop 4242 --hold      (until Ctrl-C)",
            ["resume"] = "corelift resume LEASE",
            ["threads"] = "corelift threads 4242\n  corelift threads --lease LEASE   (with registers)",
            ["read"] = "corelift read --lease LEASE 0x7ffd1000 256\n  corelift read --lease LEASE 0x7ffd1000 1048576 -o bytes",
            ["verify"] = "corelift verify app.core",
            ["version"] = "corelift version",
            ["completion"] = "corelift completion bash > /etc/bash_completion.d/corelift",
        });

        // System.CommandLine answers usage errors with 1; ours are 2.
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction && !args.Any(a => a.StartsWith("[suggest", StringComparison.Ordinal)))
        {
            foreach (System.CommandLine.Parsing.ParseError error in parsed.Errors)
            {
                Console.Error.WriteLine("corelift: " + error.Message);
            }

            Console.Error.WriteLine($"Try: corelift {(parsed.CommandResult.Command == root ? string.Empty : parsed.CommandResult.Command.Name + " ")}--help");
            return Task.FromResult(ExitCodes.Usage);
        }

        return parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(10) });
    }

    private static void AddExamples(RootCommand root, Dictionary<string, string> examples)
    {
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction help } found)
            {
                found.Action = new HelpWithExamples(help, examples);
            }
        }
    }

    private sealed class HelpWithExamples(HelpAction help, Dictionary<string, string> examples) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            int result = help.Invoke(parseResult);
            if (examples.TryGetValue(parseResult.CommandResult.Command.Name, out string? text))
            {
                parseResult.InvocationConfiguration.Output.WriteLine("Examples:\n  " + text);
            }

            return result;
        }
    }
}
