using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Corelift.Cli.Cluster;
using Corelift.Cli.Commands;
using Corelift.Client;
using Corelift.Elf;

namespace Corelift.Cli;

/// <summary>Builds the command line, runs a command, and turns failures into messages and exit codes.</summary>
internal static class CommandLine
{
    internal static async Task<int> RunAsync(string[] arguments, CliConsole console, CancellationToken cancellation)
    {
        bool saysNothing = arguments.Length == 0;
        ParseResult parsed = Build(console).Parse(saysNothing ? ["--help"] : arguments is ["help", .. var rest] ? [.. rest, "--help"] : arguments);
        bool isHelpOnNothing = parsed.Action is HelpWithExamples && parsed.CommandResult.Command is RootCommand && parsed.UnmatchedTokens.Count > 0;
        if (parsed.Action is ParseErrorAction || isHelpOnNothing)
        {
            UsageErrors.Print(parsed, console);
            return ExitCode.Usage;
        }

        InvocationConfiguration invocation = new()
        {
            Output = saysNothing ? console.Error : console.Out,
            Error = console.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null, // signals are Program's
        };
        int exitCode = await parsed.InvokeAsync(invocation, cancellation);
        return saysNothing ? ExitCode.Usage : exitCode;
    }

    /// <summary>Runs the work of one command.</summary>
    internal static async Task<int> RunAsync(CliSession session, Func<CliSession, CancellationToken, Task<int>> work, CancellationToken cancellation)
    {
        await using (session)
        {
            try
            {
                return await work(session, cancellation);
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                return Fail(session, "interrupted", ExitCode.Interrupted);
            }
            catch (Exception failure) when (failure is AgentException or ClusterException)
            {
                (string message, int exitCode) = ClusterFailures.Describe(failure);
                return Fail(session, message, exitCode);
            }
            catch (SnapshotException failure)
            {
                return Fail(session, failure.Message, ExitCode.Of(failure));
            }
            catch (UsageException failure)
            {
                return Fail(session, failure.Message, failure.ExitCode);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CoreFormatException)
            {
                return Fail(session, failure.Message, ExitCode.Failure);
            }
        }
    }

    private static int Fail(CliSession session, string message, int exitCode)
    {
        session.PrintError($"corelift: {message}");
        return exitCode;
    }

    private static RootCommand Build(CliConsole console)
    {
        CommandFactory factory = new(console);
        RootCommand root = new("Lifts an ELF core out of a running process with a minimal pause, through a corelift-agent.")
        {
            ListCommand.Create(factory),
            InspectCommand.Create(factory),
            PlanCommand.Create(factory),
            SnapshotCommand.Create(factory),
            OpenCommand.Create(factory),
            KeygenCommand.Create(factory),
            StopCommand.Create(factory),
            ResumeCommand.Create(factory),
            ThreadsCommand.Create(factory),
            ReadCommand.Create(factory),
            VerifyCommand.Create(factory),
            AuditCommand.Create(factory),
            VersionCommand.Create(factory),
            CompletionCommand.Create(factory),
        };
        foreach (Option option in factory.Connection.Options.Concat(factory.Cluster.Options))
        {
            root.Options.Add(option);
        }

        if (root.Options.OfType<HelpOption>().FirstOrDefault() is { } help)
        {
            help.Action = new HelpWithExamples((HelpAction)help.Action!, factory.Examples);
        }

        return root;
    }

    /// <summary>The usual help, then examples, then what exit codes mean.</summary>
    private sealed class HelpWithExamples(HelpAction help, IReadOnlyDictionary<string, string[]> examples) : SynchronousCommandLineAction
    {
        private static readonly string[] s_first =
        [
            "corelift ps",
            "corelift plan 1234",
            "corelift snapshot 1234 -o app.core",
            "corelift verify app.core",
        ];

        public override int Invoke(ParseResult parseResult)
        {
            int result = help.Invoke(parseResult);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (string example in examples.GetValueOrDefault(NameOf(parseResult.CommandResult.Command), s_first))
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
            output.WriteLine(ExitCode.Help);
            return result;
        }

        private static string NameOf(Command command) =>
            command.Parents.OfType<Command>().FirstOrDefault() is { } parent and not RootCommand ? $"{parent.Name} {command.Name}" : command.Name;
    }
}
