using System.CommandLine;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift read --lease LEASE ADDRESS LENGTH</summary>
internal static class ReadCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Option<string> lease = new("--lease") { Description = "The lease under which the target is stopped", HelpName = "LEASE", Required = true };
        Argument<ulong> address = new("ADDRESS") { Description = "First address, for example 0x7f00dead0000", CustomParser = ValueParsers.Of("ADDRESS", ValueParsers.Address) };
        Argument<ulong> length = new("LENGTH") { Description = "Bytes, for example 256, 0x100 or 4KiB", CustomParser = ValueParsers.Of("LENGTH", ValueParsers.Length) };
        Option<string?> output = new("--output", "-o") { Description = "Write the bytes to a new file instead of a hex dump; - for standard output", HelpName = "FILE" };
        Command command = factory.Create(
            "read",
            "Reads memory of a process that is stopped under a lease.",
            async (session, cancellation) =>
            {
                AddressRange range = ToRange(session.Get(address), session.Get(length));
                IAsyncEnumerable<MemoryPiece> pieces = MemoryPieces.ReadAsync(await session.ClientAsync(cancellation), session.Get(lease)!, range, cancellation);
                if (session.Get(output) is { } path)
                {
                    await WriteAsync(session, pieces, path, cancellation);
                }
                else
                {
                    await DumpAsync(session.Console.Out, pieces, range.Start);
                }

                return ExitCode.Ok;
            },
            "corelift read --lease 5f2c9a 0x7ffd41e5c000 256",
            "corelift read --lease 5f2c9a 0x55d0c2a00000 1MiB -o heap.bin");
        command.Add(lease);
        command.Add(address);
        command.Add(length);
        command.Add(output);
        return command;
    }

    private static AddressRange ToRange(ulong address, ulong length)
    {
        if (length == 0 || length > ulong.MaxValue - address)
        {
            throw new UsageException("the length is 0, or goes beyond the last address");
        }

        return new AddressRange { Start = address, End = address + length };
    }

    private static async Task DumpAsync(TextWriter output, IAsyncEnumerable<MemoryPiece> pieces, ulong start)
    {
        HexDump dump = new(output, start);
        await foreach (MemoryPiece piece in pieces)
        {
            dump.Add(piece);
        }

        dump.Finish();
    }

    /// <summary>Bytes without their addresses leave no way to say that some are missing: a hole is a failure.</summary>
    private static async Task WriteAsync(
        CliSession session, IAsyncEnumerable<MemoryPiece> pieces, string path, CancellationToken cancellation)
    {
        if (path == "-")
        {
            await using Stream standardOutput = session.Console.OpenOut();
            await CopyAsync(pieces, standardOutput, cancellation);
            return;
        }

        bool isWhole = false;
        await using FileStream file = CreateNew(path);
        try
        {
            await CopyAsync(pieces, file, cancellation);
            await file.FlushAsync(cancellation);
            isWhole = true;
        }
        finally
        {
            if (!isWhole)
            {
                File.Delete(path);
            }
        }
    }

    private static async Task CopyAsync(IAsyncEnumerable<MemoryPiece> pieces, Stream stream, CancellationToken cancellation)
    {
        await foreach (MemoryPiece piece in pieces)
        {
            if (piece.Missing is { } reason)
            {
                throw new IOException($"memory at 0x{piece.Start:x} to 0x{piece.End:x} cannot be read ({reason}); nothing was kept");
            }

            await stream.WriteAsync(piece.Bytes, cancellation);
        }
    }

    private static FileStream CreateNew(string path)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, options);
    }
}
