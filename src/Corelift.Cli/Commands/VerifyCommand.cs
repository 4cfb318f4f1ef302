using System.CommandLine;
using Corelift.Cli.Output;
using Corelift.Elf;

namespace Corelift.Cli.Commands;

/// <summary>corelift verify FILE</summary>
internal static class VerifyCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Argument<string> file = new("FILE") { Description = "A core, of corelift, gdb or the kernel" };
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "verify",
            "Checks the structure of a core, and says how it was taken. Asks no agent.",
            (session, _) =>
            {
                string path = session.Get(file)!;
                if (Directory.Exists(path))
                {
                    throw new UsageException($"{path} is a directory");
                }

                using FileStream core = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                CoreVerification verification = CoreVerifier.Verify(core);
                if (session.Get(json))
                {
                    VerificationReport.PrintJson(session.Console.Out, path, verification);
                }
                else
                {
                    VerificationReport.Print(session, path, core.Length, verification);
                }

                return Task.FromResult(verification switch
                {
                    { IsSound: false } => ExitCode.Failure,
                    { Record.IsPartial: true } => ExitCode.Partial,
                    _ => ExitCode.Ok,
                });
            },
            "corelift verify app.core",
            "corelift verify app.core --json");
        command.Add(file);
        command.Add(json);
        return command;
    }
}
