using System.CommandLine;

namespace Corelift.Cli.Commands;

/// <summary>corelift completion: scripts that ask this program itself ("[suggest:POSITION]") what may come next.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        _corelift() {
            local IFS=$'\n'
            COMPREPLY=($(corelift "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null))
            COMPREPLY=($(compgen -W "${COMPREPLY[*]}" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _corelift corelift
        """;

    private const string Zsh = """
        #compdef corelift
        _corelift() {
            local -a words_found
            words_found=("${(@f)$(corelift "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
            compadd -- "${words_found[@]}" || _files
        }
        compdef _corelift corelift
        """;

    private const string Fish = """
        complete -c corelift -a '(corelift "[suggest:"(commandline -C)"]" (commandline -p) 2>/dev/null)'
        """;

    internal static Command Create()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Print a script that completes commands in a shell.") { shell };
        command.SetAction(parsed =>
        {
            Console.Out.WriteLine(parsed.GetValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh,
                _ => Fish,
            });
            return ExitCodes.Ok;
        });
        return command;
    }
}
