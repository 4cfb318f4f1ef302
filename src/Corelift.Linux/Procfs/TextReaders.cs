using System.Text;

namespace Corelift.Linux.Procfs;

/// <summary>Takes lines from text whose every line ends in a newline, as all of /proc's do.</summary>
internal ref struct LineReader(ReadOnlySpan<byte> text)
{
    private ReadOnlySpan<byte> _rest = text;

    /// <summary>The next line without its newline, or false at the end.</summary>
    /// <exception cref="ProcfsFormatException">The last line was cut off.</exception>
    internal bool TryRead(out ReadOnlySpan<byte> line)
    {
        line = default;
        if (_rest.IsEmpty)
        {
            return false;
        }

        int end = _rest.IndexOf((byte)'\n');
        if (end < 0)
        {
            throw new ProcfsFormatException("the last line has no newline: the text was cut off");
        }

        line = _rest[..end];
        _rest = _rest[(end + 1)..];
        return true;
    }
}

/// <summary>Takes fields from a line, strictly: a number that does not fit or is missing is an error.</summary>
internal ref struct FieldReader(ReadOnlySpan<byte> line)
{
    private ReadOnlySpan<byte> _rest = line;

    internal readonly ReadOnlySpan<byte> Rest => _rest;

    internal readonly bool AtEnd => _rest.IsEmpty;

    internal void SkipBlanks()
    {
        int start = _rest.IndexOfAnyExcept((byte)' ', (byte)'\t');
        _rest = start < 0 ? default : _rest[start..];
    }

    internal byte TakeByte()
    {
        if (_rest.IsEmpty)
        {
            throw new ProcfsFormatException("the line ends too early");
        }

        byte value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    internal void Expect(byte expected)
    {
        if (TakeByte() != expected)
        {
            throw new ProcfsFormatException($"expected '{(char)expected}'");
        }
    }

    /// <summary>Everything up to the next blank; empty at the end.</summary>
    internal ReadOnlySpan<byte> TakeWord()
    {
        SkipBlanks();
        int end = _rest.IndexOfAny((byte)' ', (byte)'\t');
        ReadOnlySpan<byte> word = end < 0 ? _rest : _rest[..end];
        _rest = _rest[word.Length..];
        return word;
    }

    internal ulong TakeHex()
    {
        ulong value = 0;
        int used = 0;
        for (; used < _rest.Length; used++)
        {
            int digit = HexDigit(_rest[used]);
            if (digit < 0)
            {
                break;
            }

            if (value >> 60 != 0)
            {
                throw new ProcfsFormatException("a hexadecimal number is above 64 bits");
            }

            value = (value << 4) | (uint)digit;
        }

        Consume(used);
        return value;
    }

    internal ulong TakeDecimal()
    {
        ulong value = 0;
        int used = 0;
        for (; used < _rest.Length; used++)
        {
            uint digit = unchecked((uint)(_rest[used] - '0'));
            if (digit > 9)
            {
                break;
            }

            if (value > (ulong.MaxValue - digit) / 10)
            {
                throw new ProcfsFormatException("a number is above 64 bits");
            }

            value = (value * 10) + digit;
        }

        Consume(used);
        return value;
    }

    internal long TakeSigned()
    {
        bool negative = !_rest.IsEmpty && _rest[0] == '-';
        if (negative)
        {
            _rest = _rest[1..];
        }

        ulong magnitude = TakeDecimal();
        if (magnitude > (ulong)long.MaxValue)
        {
            throw new ProcfsFormatException("a number is above 63 bits");
        }

        return negative ? -(long)magnitude : (long)magnitude;
    }

    internal int TakeInt32()
    {
        long value = TakeSigned();
        return value is < int.MinValue or > int.MaxValue
            ? throw new ProcfsFormatException("a number is above 31 bits")
            : (int)value;
    }

    internal uint TakeUInt32()
    {
        ulong value = TakeDecimal();
        return value > uint.MaxValue ? throw new ProcfsFormatException("a number is above 32 bits") : (uint)value;
    }

    internal static int HexDigit(byte value) => value switch
    {
        >= (byte)'0' and <= (byte)'9' => value - '0',
        >= (byte)'a' and <= (byte)'f' => value - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => value - 'A' + 10,
        _ => -1,
    };

    private void Consume(int used)
    {
        if (used == 0)
        {
            throw new ProcfsFormatException("expected a number");
        }

        _rest = _rest[used..];
    }
}

/// <summary>Text of targets as strings.</summary>
internal static class ProcfsText
{
    /// <summary>Decodes UTF-8; bytes that are not become U+FFFD.</summary>
    internal static string Decode(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
}
