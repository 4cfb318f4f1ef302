namespace Corelift.Sealing;

/// <summary>Bech32 (BIP 173) as age has it: no limit on the length, and bytes as data.</summary>
internal static class Bech32
{
    private const string Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    private const int ChecksumLetters = 6;
    private const int LetterBits = 5;
    private const int LetterMask = 31;
    private const int ByteBits = 8;

    private static readonly uint[] s_generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

    /// <summary>The text of some bytes, in lower case.</summary>
    /// <param name="prefix">What stands before the separator, in lower case.</param>
    /// <param name="data">The bytes.</param>
    internal static string Encode(string prefix, ReadOnlySpan<byte> data)
    {
        List<byte> letters = ToLetters(data);
        uint checksum = Checksum(prefix, [.. letters, .. new byte[ChecksumLetters]]) ^ 1;
        for (int i = ChecksumLetters - 1; i >= 0; i--)
        {
            letters.Add((byte)((checksum >> (LetterBits * i)) & LetterMask));
        }

        return string.Concat(prefix, "1", string.Concat(letters.Select(letter => Alphabet[letter])));
    }

    /// <summary>The bytes of a text.</summary>
    /// <param name="text">All in one case.</param>
    /// <param name="prefix">What must stand before the separator, in the same case as <paramref name="text"/>.</param>
    /// <returns>The bytes, or null where the text is not of that prefix, or mistyped.</returns>
    internal static byte[]? Decode(string text, string prefix)
    {
        bool isMixed = text.Any(char.IsAsciiLetterLower) && text.Any(char.IsAsciiLetterUpper);
        if (isMixed || !text.StartsWith(prefix + "1", StringComparison.Ordinal) || text.Length < prefix.Length + 1 + ChecksumLetters)
        {
            return null;
        }

        byte[] letters = new byte[text.Length - prefix.Length - 1];
        for (int i = 0; i < letters.Length; i++)
        {
            int value = Alphabet.IndexOf(char.ToLowerInvariant(text[prefix.Length + 1 + i]), StringComparison.Ordinal);
            if (value < 0)
            {
                return null;
            }

            letters[i] = (byte)value;
        }

        return Checksum(prefix.ToLowerInvariant(), letters) == 1 ? ToBytes(letters.AsSpan(0, letters.Length - ChecksumLetters)) : null;
    }

    private static uint Checksum(string prefix, ReadOnlySpan<byte> letters)
    {
        uint sum = 1;
        foreach (char letter in prefix)
        {
            sum = Step(sum, (uint)letter >> LetterBits);
        }

        sum = Step(sum, 0);
        foreach (char letter in prefix)
        {
            sum = Step(sum, letter & (uint)LetterMask);
        }

        foreach (byte letter in letters)
        {
            sum = Step(sum, letter);
        }

        return sum;
    }

    private static uint Step(uint sum, uint value)
    {
        uint top = sum >> 25;
        sum = ((sum & 0x1ffffff) << LetterBits) ^ value;
        for (int i = 0; i < s_generator.Length; i++)
        {
            sum ^= ((top >> i) & 1) == 0 ? 0 : s_generator[i];
        }

        return sum;
    }

    private static List<byte> ToLetters(ReadOnlySpan<byte> data)
    {
        List<byte> letters = [];
        uint held = 0;
        int bits = 0;
        foreach (byte each in data)
        {
            held = ((held << ByteBits) | each) & 0xfff;
            for (bits += ByteBits; bits >= LetterBits; bits -= LetterBits)
            {
                letters.Add((byte)((held >> (bits - LetterBits)) & LetterMask));
            }
        }

        if (bits > 0)
        {
            letters.Add((byte)((held << (LetterBits - bits)) & LetterMask));
        }

        return letters;
    }

    /// <returns>Null where the last letter holds bits that no byte needs.</returns>
    private static byte[]? ToBytes(ReadOnlySpan<byte> letters)
    {
        List<byte> bytes = [];
        uint held = 0;
        int bits = 0;
        foreach (byte letter in letters)
        {
            held = ((held << LetterBits) | letter) & 0xfff;
            bits += LetterBits;
            if (bits >= ByteBits)
            {
                bits -= ByteBits;
                bytes.Add((byte)((held >> bits) & 0xff));
            }
        }

        return bits < LetterBits && (held & ((1u << bits) - 1)) == 0 ? [.. bytes] : null;
    }
}
