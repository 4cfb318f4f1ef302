using System.CommandLine;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.Client;
using Corelift.Sealing;

namespace Corelift.Cli.Commands;

/// <summary>corelift open FILE -i IDENTITY</summary>
internal sealed class OpenCommand
{
    private const string StandardStream = "-";
    private const int BufferBytes = 256 * 1024;

    private readonly Argument<string> _file = new("FILE") { Description = "A sealed snapshot; - for standard input" };
    private readonly Option<string[]> _identity = SealingArguments.NewIdentity("Private key of age to open it with");

    private readonly Option<string?> _output = new("--output", "-o")
    {
        Description = "The core; - for standard output; default: FILE without .age",
        HelpName = "FILE",
    };

    private readonly Option<bool> _force = new("--force", "-f") { Description = "Replace a file that exists" };

    internal static Command Create(CommandFactory factory) => new OpenCommand().Build(factory);

    private Command Build(CommandFactory factory)
    {
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "open",
            "Opens a sealed snapshot and makes its core, with all the checks of a live one. Asks no agent.",
            (session, cancellation) => RunAsync(session, session.Get(json), cancellation),
            "corelift open app.core.age -i key.txt",
            "corelift open app.core.age -i key.txt -o /dev/shm/app.core",
            "ssh host cat app.core.age | corelift open - -i key.txt -o app.core");
        command.Add(_file);
        command.Add(_identity);
        command.Add(_output);
        command.Add(_force);
        command.Add(json);
        return command;
    }

    private async Task<int> RunAsync(CliSession session, bool json, CancellationToken cancellation)
    {
        string file = session.Get(_file)!;
        IReadOnlyList<AgeIdentity> identities = SealingArguments.ReadIdentities(session.Get(_identity));
        if (identities.Count == 0)
        {
            throw new UsageException("say which private key opens it: -i FILE");
        }

        string output = session.Get(_output) ?? DefaultOutput(file);
        bool toPipe = output == StandardStream;
        if (toPipe && session.Console.IsOutTerminal)
        {
            throw new UsageException("a core is not for a terminal; name a file with -o, or direct the output to one");
        }

        await using Stream sealedFile = OpenSealed(session, file);
        SnapshotResult result = await OpenAsync(session, sealedFile, identities, toPipe ? null : output, cancellation);
        TextWriter report = toPipe ? session.Console.Error : session.Console.Out;
        if (json)
        {
            JsonOutput.Print(report, writer => SnapshotReport.WriteJson(writer, result));
        }
        else
        {
            SnapshotReport.Print(session.Console, report, result, toPipe ? null : result.IsPartial ? result.Path : output);
        }

        return result.IsPartial ? ExitCode.Partial : ExitCode.Ok;
    }

    private static Stream OpenSealed(CliSession session, string file)
    {
        if (file == StandardStream)
        {
            return session.Console.OpenIn();
        }

        return new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, BufferBytes, FileOptions.SequentialScan);
    }

    private static string DefaultOutput(string file) =>
        file != StandardStream && file.EndsWith(".age", StringComparison.Ordinal) && Path.GetFileName(file).Length > ".age".Length
            ? file[..^".age".Length]
            : throw new UsageException("say where the core goes: -o FILE");

    private async Task<SnapshotResult> OpenAsync(
        CliSession session, Stream sealedFile, IReadOnlyList<AgeIdentity> identities, string? path, CancellationToken cancellation)
    {
        using ProgressLine? progress = session.Console.IsErrorTerminal ? new ProgressLine(session.Console.Error) : null;
        if (path is not null)
        {
            return await SealedSnapshot.OpenAsync(
                sealedFile, identities, SnapshotDestination.ToFile(path, session.Get(_force)), progress: progress, cancellation: cancellation);
        }

        await using Stream standardOutput = session.Console.OpenOut();
        return await SealedSnapshot.OpenAsync(
            sealedFile, identities, SnapshotDestination.ToStream(standardOutput), progress: progress, cancellation: cancellation);
    }
}
