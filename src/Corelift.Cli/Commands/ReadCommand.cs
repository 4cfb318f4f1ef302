using System.CommandLine;
using System.Globalization;
using System.Text;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift read</summary>
internal static class ReadCommand
{
    private const int LineBytes = 16;

    internal static Command Create()
    {
        var lease = new Option<string>("--lease") { Description = "The lease of a stopped process", HelpName = "LEASE", Required = true };
        var address = new Argument<string>("ADDRESS") { Description = "First address; hexadecimal after 0x" };
        var length = new Argument<string>("LENGTH") { Description = "Bytes" };
        var output = new Option<string?>("--output", "-o") { Description = "Write the bytes to a file instead of printing them", HelpName = "FILE" };
        var command = new Command("read", "Read memory of a process that is stopped under a lease.") { lease, address, length, output };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                await using CoreliftClient client = Arguments.Connect(parsed);
                ulong start = Arguments.ParseNumber(parsed.GetValue(address)!, "address");
                ulong bytes = Arguments.ParseNumber(parsed.GetValue(length)!, "length");
                if (bytes > ulong.MaxValue - start)
                {
                    throw new UsageException("the range ends beyond the last address");
                }

                var range = new AddressRange { Start = start, End = start + bytes };
                string? path = parsed.GetValue(output);
                await using FileStream? file = path is null ? null : new FileStream(path, FileMode.CreateNew, FileAccess.Write);
                return await ReadAsync(client, parsed.GetValue(lease)!, range, file, token);
            },
            cancellation));
        return command;
    }

    private static async Task<int> ReadAsync(CoreliftClient client, string lease, AddressRange range, FileStream? file, CancellationToken cancellation)
    {
        bool whole = true;
        await foreach (ReadMemoryResponse part in client.ReadMemoryAsync(lease, [range], cancellation))
        {
            if (part.Hole is { } hole)
            {
                whole = false;
                Console.Error.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"corelift: 0x{hole.Range.Start:x}-0x{hole.Range.End:x} cannot be read ({hole.Reason.ToString().ToLowerInvariant()})"));
            }
            else if (file is not null)
            {
                file.Position = (long)(part.Chunk.Address - range.Start);
                file.Write(part.Chunk.Data.Span);
            }
            else
            {
                Dump(part.Chunk.Address, part.Chunk.Data.Span);
            }
        }

        return whole ? ExitCodes.Ok : ExitCodes.Failed;
    }

    private static void Dump(ulong address, ReadOnlySpan<byte> bytes)
    {
        var line = new StringBuilder();
        for (int i = 0; i < bytes.Length; i += LineBytes)
        {
            ReadOnlySpan<byte> part = bytes.Slice(i, Math.Min(LineBytes, bytes.Length - i));
            line.Clear().Append(CultureInfo.InvariantCulture, $"{address + (ulong)i:x16} ");
            foreach (byte b in part)
            {
                line.Append(CultureInfo.InvariantCulture, $" {b:x2}");
            }

            line.Append(' ', ((LineBytes - part.Length) * 3) + 2);
            foreach (byte b in part)
            {
                line.Append(b is >= 0x20 and < 0x7f ? (char)b : '.');
            }

            Console.Out.WriteLine(line);
        }
    }
}
