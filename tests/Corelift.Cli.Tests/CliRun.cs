using System.Text.Json;
using Corelift.Client.Tests.Scripted;

namespace Corelift.Cli.Tests;

/// <summary>One run of the program, in this process.</summary>
internal sealed record CliRun(int ExitCode, string Output, byte[] OutputBytes, string Errors)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    public static Task<CliRun> AgainstAsync(ScriptedAgent agent, params string[] arguments) =>
        RunAsync([.. arguments, "--agent", agent.Address], isTerminal: false, default);

    public static Task<CliRun> AloneAsync(params string[] arguments) => RunAsync(arguments, isTerminal: false, default);

    public static async Task<CliRun> RunAsync(
        string[] arguments, bool isTerminal, CancellationToken cancellation, Func<string, string?>? environment = null)
    {
        using StringWriter output = new();
        using StringWriter errors = new();
        using MemoryStream bytes = new();
        CliConsole console = new()
        {
            Out = output,
            Error = errors,
            OpenOut = () => new Pipe(bytes),
            IsOutTerminal = isTerminal,
            IsErrorTerminal = isTerminal,
            Environment = environment ?? (_ => null),
        };
        int exitCode = await CommandLine.RunAsync(arguments, console, cancellation);
        return new CliRun(exitCode, output.ToString(), bytes.ToArray(), errors.ToString());
    }

    /// <summary>Standard output: cannot seek.</summary>
    private sealed class Pipe(MemoryStream inner) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);
    }
}
