using System.Diagnostics;

namespace Corelift.Testing;

/// <summary>What a command said and how it ended.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Errors, TimeSpan Elapsed)
{
    /// <summary>This result, if the command succeeded.</summary>
    public CommandResult Checked() =>
        ExitCode == 0 ? this : throw new TestingException($"exit code {ExitCode}\n{Output}\n{Errors}");
}

/// <summary>Runs other programs to their end; they are killed with their children when a bound is passed or the caller cancels.</summary>
public static class Command
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(5);

    /// <summary>Runs a program without a shell, with nothing on its stdin.</summary>
    public static async Task<CommandResult> RunAsync(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, TimeSpan? bound = null,
        CancellationToken cancellation = default)
    {
        long start = Stopwatch.GetTimestamp();
        using Process process = Begin(program, arguments, environment);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(bound ?? s_bound);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            cancellation.ThrowIfCancellationRequested();
            throw new TestingException($"{program} {string.Join(' ', arguments)}: no end after {bound ?? s_bound}\n{await output}\n{await errors}");
        }

        return new CommandResult(process.ExitCode, await output, await errors, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Starts a program with all three streams redirected.</summary>
    public static Process Begin(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return Process.Start(start) ?? throw new TestingException($"{program} did not start");
    }
}
