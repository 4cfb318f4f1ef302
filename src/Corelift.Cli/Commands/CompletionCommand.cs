using System.CommandLine;

namespace Corelift.Cli.Commands;

/// <summary>corelift completion SHELL</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # corelift completion for bash: source <(corelift completion bash)
        _corelift() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(corelift "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _corelift corelift
        """;

    private const string Zsh = """
        #compdef corelift
        # corelift completion for zsh: source <(corelift completion zsh)
        _corelift() {
            local -a words
            words=("${(@f)$(corelift "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
            compadd -a words || _files
        }
        compdef _corelift corelift
        """;

    private const string Fish = """
        # corelift completion for fish: corelift completion fish | source
        complete -c corelift -a '(corelift "[suggest:"(commandline -C)"]" (commandline) 2>/dev/null)'
        """;

    internal static Command Create(CommandFactory factory)
    {
        Argument<string> shell = new("SHELL") { Description = "bash, zsh or fish" };
        shell.CompletionSources.Add("bash", "zsh", "fish");
        Command command = factory.Create(
            "completion",
            "Prints a script that completes this program's commands and options in a shell.",
            (session, _) =>
            {
                Print(session, session.Get(shell));
                return Task.FromResult(ExitCode.Ok);
            },
            "source <(corelift completion bash)",
            "corelift completion fish | source");
        command.Add(shell);
        return command;
    }

    private static void Print(CliSession session, string? shell) => session.Console.Out.WriteLine(shell switch
    {
        "bash" => Bash,
        "zsh" => Zsh,
        "fish" => Fish,
        _ => throw new UsageException($"no completion for '{shell}'; there is bash, zsh and fish"),
    });
}
