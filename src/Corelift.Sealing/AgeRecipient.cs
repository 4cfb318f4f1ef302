namespace Corelift.Sealing;

/// <summary>A public key that something can be sealed to: "age1..." (X25519).</summary>
public sealed class AgeRecipient : IEquatable<AgeRecipient>
{
    private const string Prefix = "age";

    private readonly string _text;

    internal AgeRecipient(byte[] publicKey)
    {
        PublicKey = publicKey;
        _text = Bech32.Encode(Prefix, publicKey);
    }

    internal byte[] PublicKey { get; }

    /// <summary>Reads a public key as age-keygen prints it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="recipient">The key.</param>
    /// <param name="problem">What is wrong with the text; null where nothing is. It does not repeat the text.</param>
    public static bool TryParse(string text, out AgeRecipient? recipient, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        recipient = null;
        if (text.StartsWith(AgeIdentity.Prefix, StringComparison.OrdinalIgnoreCase))
        {
            problem = "is a private key: give the public one (age1...) that belongs to it";
        }
        else if (!text.StartsWith(Prefix + "1", StringComparison.Ordinal))
        {
            problem = "is no age public key: such a key begins with age1, in lower case";
        }
        else if (Bech32.Decode(text, Prefix) is not { Length: AgeFormat.KeyBytes } key)
        {
            problem = "is no X25519 age public key, or is mistyped: its checksum or length is wrong";
        }
        else if (X25519Stanza.IsOfLowOrder(key))
        {
            problem = "is a point of low order: nobody has the private key that belongs to it, and everybody could open what is sealed to it";
        }
        else
        {
            problem = null;
            recipient = new AgeRecipient(key);
        }

        return recipient is not null;
    }

    /// <summary>Reads a list: one key a line; empty lines and lines that begin with # count for nothing.</summary>
    /// <exception cref="AgeException">A line is no key, or there is none; the message says which line.</exception>
    public static IReadOnlyList<AgeRecipient> ParseList(TextReader list)
    {
        ArgumentNullException.ThrowIfNull(list);
        List<AgeRecipient> recipients = [];
        foreach ((int number, string line) in KeyLines.Read(list))
        {
            if (!TryParse(line, out AgeRecipient? recipient, out string? problem))
            {
                throw new AgeException($"line {number} {problem}");
            }

            recipients.Add(recipient!);
        }

        return recipients.Count > 0 ? recipients : throw new AgeException("there is no key in it");
    }

    /// <inheritdoc/>
    public bool Equals(AgeRecipient? other) => other is not null && _text == other._text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as AgeRecipient);

    /// <inheritdoc/>
    public override int GetHashCode() => _text.GetHashCode(StringComparison.Ordinal);

    /// <summary>The key as text.</summary>
    public override string ToString() => _text;
}
