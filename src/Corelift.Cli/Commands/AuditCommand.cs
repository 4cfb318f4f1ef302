using System.CommandLine;
using System.Globalization;
using Corelift.Cli.Audit;
using Corelift.Cli.Output;

namespace Corelift.Cli.Commands;

/// <summary>corelift audit verify FILE...</summary>
internal static class AuditCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Argument<string[]> files = new("FILE") { Description = "The files of one audit log, in any order", Arity = ArgumentArity.OneOrMore };
        Option<string?> expect = new("--expect")
        {
            Description = "A record that must be there, as it was noted elsewhere: its number and SHA-256",
            HelpName = "NUMBER:HASH",
        };
        Option<bool> json = CommandFactory.Json();
        Command verify = factory.Create(
            "audit verify",
            "Checks that no record of an agent's audit log was changed, taken out, moved or cut off. Asks no agent.",
            (session, _) => Task.FromResult(Run(session, session.Get(files)!, session.Get(expect), session.Get(json))),
            "corelift audit verify /var/log/corelift/audit.jsonl.* /var/log/corelift/audit.jsonl",
            "corelift audit verify audit.jsonl --expect 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        verify.Add(files);
        verify.Add(expect);
        verify.Add(json);
        return new Command("audit", "Looks at audit logs of agents") { verify };
    }

    private static int Run(CliSession session, string[] files, string? expect, bool json)
    {
        // What lies beside a log under its name and is none of its files.
        string[] logs = [.. files.Where(file => !file.EndsWith(".head", StringComparison.Ordinal) && !file.EndsWith(".lock", StringComparison.Ordinal)).Distinct()];
        if (logs.Length == 0)
        {
            throw new UsageException("name the log itself, and not only what lies beside it");
        }

        AuditVerification found = AuditVerifier.Verify(logs, Parse(expect));
        if (json)
        {
            JsonOutput.Print(session.Console.Out, writer =>
            {
                writer.WriteBoolean("sound", found.Fault is null);
                writer.WriteString("fault", found.Fault);
                writer.WriteNumber("records", found.Records);
                writer.WriteNumber("first", found.First);
                writer.WriteNumber("last", found.Last);
                writer.WriteString("hash", found.Hash);
                writer.WriteNumber("open", found.Open.Count);
            });
        }
        else
        {
            Print(session, found);
        }

        return found.Fault is null ? ExitCode.Ok : ExitCode.Failure;
    }

    private static void Print(CliSession session, AuditVerification found)
    {
        foreach (string note in found.Notes)
        {
            session.Print("note: " + note);
        }

        session.Print(found.Fault is { } fault
            ? "unsound: " + fault
            : string.Create(CultureInfo.InvariantCulture, $"sound: records {found.First} to {found.Last}, {found.Open.Count} of them without an end; last {found.Last}:{found.Hash}"));
    }

    private static (long Sequence, string Hash)? Parse(string? text)
    {
        if (text is null)
        {
            return null;
        }

        string[] parts = text.Split(':');
        return parts is [{ } number, { Length: 64 } hash] && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long sequence)
            ? (sequence, hash.ToLowerInvariant())
            : throw new UsageException($"--expect takes NUMBER:HASH with 64 hexadecimal digits, not '{text}'");
    }
}
