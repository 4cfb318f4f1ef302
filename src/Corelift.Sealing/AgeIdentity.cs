using System.Globalization;
using System.Security.Cryptography;

namespace Corelift.Sealing;

/// <summary>A private key that opens what is sealed to its <see cref="Recipient"/>: "AGE-SECRET-KEY-1..." (X25519).</summary>
public sealed class AgeIdentity
{
    internal const string Prefix = "AGE-SECRET-KEY-";

    private readonly byte[] _secretKey;

    private AgeIdentity(byte[] secretKey)
    {
        _secretKey = secretKey;
        Recipient = new AgeRecipient(X25519Stanza.ToPublic(secretKey));
    }

    /// <summary>The public key that belongs to it.</summary>
    public AgeRecipient Recipient { get; }

    /// <summary>Makes a new key of the system's random numbers.</summary>
    public static AgeIdentity Generate() => new(RandomNumberGenerator.GetBytes(AgeFormat.KeyBytes));

    /// <summary>Reads a private key.</summary>
    /// <param name="text">The text, as age-keygen prints it.</param>
    /// <param name="identity">The key.</param>
    /// <param name="problem">What is wrong with the text; null where nothing is. It does not repeat the text.</param>
    public static bool TryParse(string text, out AgeIdentity? identity, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        identity = null;
        problem = null;
        if (text.StartsWith("age1", StringComparison.Ordinal))
        {
            problem = "is a public key: the private one (AGE-SECRET-KEY-1...) is needed";
        }
        else if (text.StartsWith("AGE-PLUGIN-", StringComparison.Ordinal) || text.StartsWith("ssh-", StringComparison.Ordinal)
            || text.StartsWith("-----BEGIN", StringComparison.Ordinal) || text.StartsWith(AgeFormat.VersionLine, StringComparison.Ordinal))
        {
            problem = "is a plugin's, an SSH or an encrypted key, none of which is supported: give an AGE-SECRET-KEY-1..., or decrypt with age and open the result";
        }
        else if (Bech32.Decode(text, Prefix) is not { Length: AgeFormat.KeyBytes } key)
        {
            problem = "is no age private key (AGE-SECRET-KEY-1...), or is mistyped";
        }
        else
        {
            identity = new AgeIdentity(key);
        }

        return identity is not null;
    }

    /// <summary>Reads an identity file: one key a line; empty lines and lines that begin with # count for nothing.</summary>
    /// <exception cref="AgeException">A line is no key, or there is none; the message says which line, and never repeats it.</exception>
    public static IReadOnlyList<AgeIdentity> ParseList(TextReader list)
    {
        ArgumentNullException.ThrowIfNull(list);
        List<AgeIdentity> identities = [];
        foreach ((int number, string line) in KeyLines.Read(list))
        {
            if (!TryParse(line, out AgeIdentity? identity, out string? problem))
            {
                throw new AgeException($"line {number} {problem}");
            }

            identities.Add(identity!);
        }

        return identities.Count > 0 ? identities : throw new AgeException("there is no key in it");
    }

    /// <summary>The private key as text: who has it can open everything that is sealed to it.</summary>
    public string ToSecretText() => Bech32.Encode(Prefix.ToLowerInvariant(), _secretKey).ToUpperInvariant();

    /// <summary>An identity file as age-keygen writes it.</summary>
    /// <param name="created">When the key was made.</param>
    public string ToFileText(DateTimeOffset created) => string.Create(
        CultureInfo.InvariantCulture, $"# created: {created:yyyy-MM-dd'T'HH:mm:sszzz}\n# public key: {Recipient}\n{ToSecretText()}\n");

    /// <summary>The public key; never the private one.</summary>
    public override string ToString() => Recipient.ToString();

    internal bool TryUnwrap(AgeStanza stanza, Span<byte> fileKey) =>
        X25519Stanza.TryUnwrap(stanza, _secretKey, Recipient.PublicKey, fileKey);
}
