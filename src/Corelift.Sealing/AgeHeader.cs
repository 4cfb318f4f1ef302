using System.Security.Cryptography;
using System.Text;

namespace Corelift.Sealing;

/// <summary>An entry of a header: a type, arguments, and bytes.</summary>
internal sealed record AgeStanza(string Type, IReadOnlyList<string> Arguments, byte[] Body);

/// <summary>The readable start of an age file: the file key for each recipient, and a MAC over it all.</summary>
internal sealed class AgeHeader
{
    private const int BodyLine = 64; // letters of a full line; a shorter one, maybe empty, ends the body

    private readonly byte[] _covered; // by the MAC
    private readonly byte[] _mac;

    private AgeHeader(IReadOnlyList<AgeStanza> stanzas, byte[] covered, byte[] mac)
    {
        Stanzas = stanzas;
        _covered = covered;
        _mac = mac;
    }

    internal IReadOnlyList<AgeStanza> Stanzas { get; }

    /// <summary>A header for these recipients.</summary>
    internal static byte[] Make(IReadOnlyList<AgeRecipient> recipients, ReadOnlySpan<byte> fileKey)
    {
        var text = new StringBuilder($"{AgeFormat.VersionLine}\n");
        foreach (AgeRecipient recipient in recipients)
        {
            text.Append(X25519Stanza.Wrap(recipient.PublicKey, fileKey));
        }

        byte[] covered = Encoding.ASCII.GetBytes($"{text}{AgeFormat.MacStart}");
        return [.. covered, .. Encoding.ASCII.GetBytes($" {AgeFormat.ToBase64(AgeFormat.HeaderMac(fileKey, covered))}\n")];
    }

    /// <summary>Reads a whole header.</summary>
    /// <param name="text">From the version line to the end of the MAC's line, its line feed included.</param>
    /// <exception cref="AgeException">It is not of the format.</exception>
    internal static AgeHeader Parse(ReadOnlySpan<byte> text)
    {
        if (text.ContainsAnyExceptInRange((byte)' ', (byte)'~') && text.IndexOfAnyExceptInRange((byte)' ', (byte)'~') is var odd && text[odd] != '\n')
        {
            throw AgeException.Malformed("its header holds what is no readable text");
        }

        string[] lines = Encoding.ASCII.GetString(text).Split('\n'); // the last one is empty
        List<AgeStanza> stanzas = [];
        int at = 1;
        while (lines[at].StartsWith(AgeFormat.StanzaStart, StringComparison.Ordinal))
        {
            stanzas.Add(ReadStanza(lines, ref at));
        }

        string[] words = lines[at].Split(' ');
        byte[]? mac = words is [AgeFormat.MacStart, var code] ? AgeFormat.FromBase64(code) : null;
        if (lines[0] != AgeFormat.VersionLine || stanzas.Count == 0 || mac?.Length != AgeFormat.KeyBytes || at != lines.Length - 2)
        {
            throw AgeException.Malformed("its header is not as the format has it");
        }

        return new AgeHeader(stanzas, text[..(text.Length - lines[at].Length - 1 + AgeFormat.MacStart.Length)].ToArray(), mac);
    }

    /// <summary>Unwraps the file key, and checks the header by it.</summary>
    /// <exception cref="AgeException">None of the identities fits, or the header was changed.</exception>
    internal byte[] Unwrap(IReadOnlyList<AgeIdentity> identities)
    {
        byte[] fileKey = new byte[AgeFormat.FileKeyBytes];
        AgeStanza[] mine = [.. Stanzas.Where(stanza => stanza.Type == AgeFormat.X25519Type)];
        if (!identities.Any(identity => mine.Any(stanza => identity.TryUnwrap(stanza, fileKey))))
        {
            throw new AgeException(
                AgeFailure.NoMatchingIdentity,
                $"it is sealed to {Stanzas.Count} {(Stanzas.Count == 1 ? "key" : "keys")}, and none of the private keys given belongs to one of them");
        }

        if (!CryptographicOperations.FixedTimeEquals(AgeFormat.HeaderMac(fileKey, _covered), _mac))
        {
            throw new AgeException(AgeFailure.Damaged, "the sealed file's header was changed since it was sealed");
        }

        return fileKey;
    }

    private static AgeStanza ReadStanza(string[] lines, ref int at)
    {
        string[] words = lines[at].Split(' ');
        if (words.Length < 2 || words[0] != AgeFormat.StanzaStart || words.Any(word => word.Length == 0))
        {
            throw AgeException.Malformed("a recipient's entry has no type, or spaces where none belong");
        }

        var body = new List<byte>();
        string line;
        do
        {
            at++;
            line = at < lines.Length - 1 ? lines[at] : throw AgeException.Malformed("a recipient's entry has no end");
            byte[]? bytes = line.Length <= BodyLine ? AgeFormat.FromBase64(line) : null;
            body.AddRange(bytes ?? throw AgeException.Malformed("a recipient's entry holds a line that is no base 64"));
        }
        while (line.Length == BodyLine);
        at++;
        return new AgeStanza(words[1], words[2..], [.. body]);
    }
}
