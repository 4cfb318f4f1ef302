using System.Text;

namespace Corelift.Cli;

/// <summary>The program's surroundings, so that tests can run it without a process.</summary>
internal sealed record CliConsole
{
    public required TextWriter Out { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Opens standard output for bytes.</summary>
    public required Func<Stream> OpenOut { get; init; }

    /// <summary>Opens standard input for bytes.</summary>
    public Func<Stream> OpenIn { get; init; } = Console.OpenStandardInput;

    public required bool IsOutTerminal { get; init; }

    public required bool IsErrorTerminal { get; init; }

    public bool IsInTerminal { get; init; }

    /// <summary>Columns of the terminal.</summary>
    public int Width { get; init; } = 100;

    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;

    /// <summary>Where a pod has its service account.</summary>
    public string AccountFolder { get; init; } = "/var/run/secrets/kubernetes.io/serviceaccount";

    public bool UsesColor => IsOutTerminal && string.IsNullOrEmpty(Environment("NO_COLOR")) && Environment("TERM") != "dumb";

    public static CliConsole OfProcess()
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        return new CliConsole
        {
            Out = Console.Out,
            Error = Console.Error,
            OpenOut = Console.OpenStandardOutput,
            IsOutTerminal = !Console.IsOutputRedirected,
            IsErrorTerminal = !Console.IsErrorRedirected,
            IsInTerminal = !Console.IsInputRedirected,
            Width = Console.IsOutputRedirected ? 100 : Math.Max(Console.WindowWidth, 40),
        };
    }
}
