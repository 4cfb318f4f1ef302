using System.CommandLine;
using Corelift.Client;
using Corelift.Sealing;

namespace Corelift.Cli.Input;

/// <summary>The options that say whom a snapshot is sealed to, and who opens it.</summary>
internal sealed class SealingArguments
{
    private readonly Option<string[]> _sealTo = new("--seal-to")
    {
        Description = "Public key of age (age1...) that the agent seals the snapshot to; may be given several times",
        HelpName = "KEY",
    };

    private readonly Option<string[]> _sealToFile = new("--seal-to-file")
    {
        Description = "File of such keys, one a line; may be given several times",
        HelpName = "FILE",
    };

    private readonly Option<bool> _sealed = new("--sealed")
    {
        Description = "Keep a snapshot that the agent seals to keys of its own",
    };

    private readonly Option<string[]> _identity = NewIdentity("Private key of age by which a sealed snapshot is opened as it comes");

    /// <summary>Whether the snapshot stays sealed.</summary>
    internal static bool StaysSealed(SnapshotRequest request, bool asked) => request.Identities.Count == 0 && (asked || request.Recipients.Count > 0);

    /// <summary>The option for private keys.</summary>
    internal static Option<string[]> NewIdentity(string description) => new("--identity", "-i")
    {
        Description = $"{description}: a file as 'corelift keygen' or age-keygen makes it; may be given several times",
        HelpName = "FILE",
    };

    /// <summary>All private keys of some files.</summary>
    /// <exception cref="UsageException">A file cannot be read, or holds something else.</exception>
    internal static IReadOnlyList<AgeIdentity> ReadIdentities(IEnumerable<string>? files) =>
        [.. (files ?? []).SelectMany(file => ReadList(file, "private keys", AgeIdentity.ParseList))];

    internal void AddTo(Command command)
    {
        command.Add(_sealTo);
        command.Add(_sealToFile);
        command.Add(_sealed);
        command.Add(_identity);
    }

    /// <summary>The request with its recipients and private keys, and whether it stays sealed.</summary>
    internal (SnapshotRequest Request, bool StaysSealed) Complete(CliSession session, SnapshotRequest request)
    {
        List<string> recipients = [];
        foreach (string text in session.Get(_sealTo) ?? [])
        {
            recipients.Add(AgeRecipient.TryParse(text, out AgeRecipient? key, out string? problem)
                ? key!.ToString()
                : throw new UsageException($"--seal-to: the key {problem}"));
        }

        recipients.AddRange((session.Get(_sealToFile) ?? [])
            .SelectMany(file => ReadList(file, "public keys", AgeRecipient.ParseList)).Select(key => key.ToString()));
        request = request with { Recipients = [.. recipients.Distinct()], Identities = ReadIdentities(session.Get(_identity)) };
        bool asked = session.Get(_sealed);
        return asked && request.Identities.Count > 0
            ? throw new UsageException("--sealed keeps the snapshot sealed, and --identity opens it: give one of them")
            : (request, StaysSealed(request, asked));
    }

    private static IReadOnlyList<T> ReadList<T>(string file, string what, Func<TextReader, IReadOnlyList<T>> parse)
    {
        try
        {
            using StreamReader list = new(file);
            return parse(list);
        }
        catch (AgeException failure)
        {
            throw new UsageException($"{file} is no file of {what}: {failure.Message}");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{file} cannot be read: {failure.Message}");
        }
    }
}
