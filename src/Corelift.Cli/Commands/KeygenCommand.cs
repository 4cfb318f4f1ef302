using System.CommandLine;
using Corelift.Sealing;

namespace Corelift.Cli.Commands;

/// <summary>corelift keygen</summary>
internal static class KeygenCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Option<string?> output = new("--output", "-o")
        {
            Description = "File for the private key, which only you can read; it must not exist. Default: standard output",
            HelpName = "FILE",
        };
        Command command = factory.Create(
            "keygen",
            "Makes a key of age: the private part to open sealed snapshots with, the public part to seal them to.",
            async (session, cancellation) =>
            {
                AgeIdentity identity = AgeIdentity.Generate();
                string text = identity.ToFileText(DateTimeOffset.Now);
                if (session.Get(output) is { } path)
                {
                    await WriteAsync(path, text, cancellation);
                }
                else
                {
                    session.Console.Out.Write(text);
                }

                if (session.Get(output) is not null || !session.Console.IsOutTerminal)
                {
                    session.PrintError($"Public key: {identity.Recipient}");
                }

                return ExitCode.Ok;
            },
            "corelift keygen -o key.txt",
            "corelift snapshot 1234 --seal-to age1...");
        command.Add(output);
        return command;
    }

    private static async Task WriteAsync(string path, string text, CancellationToken cancellation)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            await using StreamWriter file = new(path, options);
            await file.WriteAsync(text.AsMemory(), cancellation);
        }
        catch (IOException) when (Path.Exists(path))
        {
            throw new UsageException($"{path} exists already, and a private key is never replaced: name another file, or remove it yourself", ExitCode.Failure);
        }
    }
}
