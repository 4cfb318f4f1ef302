using System.CommandLine;
using Corelift.Cli.Cluster;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift snapshot PID</summary>
internal sealed class SnapshotCommand
{
    private const string StandardOutput = "-";

    private readonly Argument<string?> _target = new("PID")
    {
        Description = $"A process id, a name that one process has, or {PodTarget.Form}; none with --lease",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _output = new("--output", "-o")
    {
        Description = "The core; - for standard output; default: core.NAME.PID here",
        HelpName = "FILE",
    };

    private readonly Option<string?> _lease = new("--lease")
    {
        Description = "Capture a target that 'corelift stop' holds, and leave it stopped",
        HelpName = "LEASE",
    };

    private readonly Option<Compression> _compression = new("--compression")
    {
        Description = "Packing on the wire: none, lz4 or zstd; the core is never packed",
        HelpName = "none|lz4|zstd",
        CustomParser = ValueParsers.Of("--compression", ValueParsers.Choice(
            ("none", Compression.None), ("lz4", Compression.Lz4), ("zstd", Compression.Zstd))),
    };

    private readonly Option<bool> _force = new("--force", "-f") { Description = "Replace a file that exists" };

    internal static Command Create(CommandFactory factory) => new SnapshotCommand().Build(factory);

    private Command Build(CommandFactory factory)
    {
        CaptureArguments capture = new();
        SealingArguments sealing = new();
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "snapshot",
            "Stops a process for milliseconds, and writes an ELF core of that instant. The process runs on.",
            (session, cancellation) => RunAsync(session, sealing.Complete(session, capture.ToRequest(session)), session.Get(json), cancellation),
            "corelift snapshot 1234",
            "corelift snapshot postgres -o db.core --max-pause 100ms",
            "corelift snapshot 1234 --strategy precopy --rate-limit 200MiB --max-pause 20ms",
            "corelift snapshot 1234 --content stacks --json",
            "corelift snapshot 1234 --seal-to age1... -o app.core.age",
            "corelift snapshot 1234 -o - | zstd > app.core.zst",
            "corelift snapshot pod/web-7d9f/app -n shop --service-account oncall --ca ca.crt -o app.core");
        command.Add(_target);
        command.Add(_output);
        command.Add(_lease);
        capture.AddTo(command);
        _compression.CompletionSources.Clear(); // the names of the enumeration, which are not what is typed here
        _compression.CompletionSources.Add("none", "lz4", "zstd");
        command.Add(_compression);
        sealing.AddTo(command);
        command.Add(_force);
        command.Add(json);
        return command;
    }

    private async Task<int> RunAsync(
        CliSession session, (SnapshotRequest Request, bool StaysSealed) wanted, bool json, CancellationToken cancellation)
    {
        string? output = session.Get(_output);
        SnapshotRequest request = wanted.Request;
        request = request with { Compression = session.Get(_compression) };
        if (session.Get(_lease) is { } lease)
        {
            if (session.Get(_target) is not null || output is null)
            {
                throw new UsageException("--lease takes the place of the process, and needs -o FILE");
            }

            request = request with { LeaseId = lease };
        }
        else
        {
            string target = session.Get(_target) ?? throw new UsageException("say which process: a process id or a name");
            request = request with { Target = await TargetResolver.ResolveAsync(session, target, cancellation) };
            if (output is null)
            {
                Process process = await (await session.ClientAsync(cancellation)).GetProcessAsync(request.Target, cancellation);
                request = request with { Target = process.Summary.Ref };
                output = CoreNames.Default(process) + (wanted.StaysSealed ? ".age" : "");
            }
        }

        bool toPipe = output == StandardOutput;
        if (toPipe && session.Console.IsOutTerminal)
        {
            throw new UsageException($"a {(wanted.StaysSealed ? "sealed snapshot" : "core")} is not for a terminal; name a file with -o, or direct the output to one");
        }

        if (wanted.StaysSealed)
        {
            SealedSnapshotResult kept = await KeepSealedAsync(session, request, toPipe ? null : output, cancellation);
            SealedReport.Print(toPipe ? session.Console.Error : session.Console.Out, kept, toPipe ? null : output, json);
            return ExitCode.Ok;
        }

        if (toPipe && request.Strategy == Strategy.Precopy)
        {
            throw new UsageException("strategy precopy replaces what it wrote before, which standard output cannot; name a file with -o, or take another strategy");
        }

        SnapshotResult result = await CaptureAsync(session, request, toPipe ? null : output, cancellation);
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

    private async Task<SealedSnapshotResult> KeepSealedAsync(
        CliSession session, SnapshotRequest request, string? path, CancellationToken cancellation)
    {
        using ProgressLine? progress = session.Console.IsErrorTerminal ? new ProgressLine(session.Console.Error) : null;
        if (path is not null)
        {
            return await (await session.ClientAsync(cancellation)).SealedSnapshotAsync(
                request, SnapshotDestination.ToFile(path, session.Get(_force)), progress, cancellation);
        }

        await using Stream standardOutput = session.Console.OpenOut();
        return await (await session.ClientAsync(cancellation)).SealedSnapshotAsync(request, SnapshotDestination.ToStream(standardOutput), progress, cancellation);
    }

    private async Task<SnapshotResult> CaptureAsync(
        CliSession session, SnapshotRequest request, string? path, CancellationToken cancellation)
    {
        using ProgressLine? progress = session.Console.IsErrorTerminal ? new ProgressLine(session.Console.Error) : null;
        if (path is not null)
        {
            return await (await session.ClientAsync(cancellation)).SnapshotAsync(
                request, SnapshotDestination.ToFile(path, session.Get(_force)), progress, cancellation);
        }

        await using Stream standardOutput = session.Console.OpenOut();
        return await (await session.ClientAsync(cancellation)).SnapshotAsync(request, SnapshotDestination.ToStream(standardOutput), progress, cancellation);
    }
}
