using System.Buffers.Binary;
using System.Text;

namespace Corelift.Fuzz.Engine;

/// <summary>Makes a new input of old ones. The same seed makes the same inputs.</summary>
internal sealed class Mutator(FuzzTarget target, Random random)
{
    private const int MostSteps = 16;

    private static readonly long[] s_numbers =
    [
        0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 511, 512, 1023, 1024, 4095, 4096, 65535, 65536,
        short.MaxValue, int.MaxValue, (long)int.MaxValue + 1, uint.MaxValue, (long)uint.MaxValue + 1, long.MaxValue, long.MaxValue - 4095, long.MinValue, -1, -2, -4096,
    ];

    private static readonly string[] s_texts =
        ["0", "-1", "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "ffffffffffffffff", "10000000000000000", "7ffffffff000", "1e309"];

    private readonly byte[][] _words = [.. target.Words.Concat(s_texts).Select(Encoding.UTF8.GetBytes)];

    /// <summary>A changed <paramref name="input"/>; parts of <paramref name="other"/> may be in it.</summary>
    internal byte[] Next(byte[] input, byte[] other)
    {
        if (random.Next(2) == 0 && target.Mutate(input, random) is { } changed && changed.Length <= target.MostBytes)
        {
            return random.Next(4) == 0 ? Havoc(changed, other, 2) : changed;
        }

        return Havoc(input, other, 1 << random.Next(0, 5));
    }

    private byte[] Havoc(byte[] input, byte[] other, int steps)
    {
        byte[] result = (byte[])input.Clone();
        for (int step = 0; step < Math.Min(steps, MostSteps); step++)
        {
            result = Step(result, other);
        }

        return result.Length <= target.MostBytes ? result : result[..target.MostBytes];
    }

    private byte[] Step(byte[] input, byte[] other)
    {
        int at = random.Next(input.Length + 1);
        switch (input.Length == 0 ? 7 + random.Next(3) : random.Next(12))
        {
            case 0:
                return Change(input, static (bytes, place, random) => bytes[place] ^= (byte)(1 << random.Next(8)));
            case 1:
                return Change(input, static (bytes, place, random) => bytes[place] = (byte)random.Next(256));
            case 2:
                return Change(input, static (bytes, place, random) => bytes[place] = unchecked((byte)(bytes[place] + random.Next(-16, 17))));
            case 3:
                return PutNumber(input);
            case 4:
                return Cut(input, at, 1 + random.Next(Math.Max(1, Math.Min(64, input.Length - at))));
            case 5:
                return Cut(input, at, input.Length - at);
            case 6:
                return Move(input, at);
            case 7:
                return Insert(input, at, _words[random.Next(_words.Length)]);
            case 8:
                return Insert(input, at, Piece(other));
            case 9:
                return Insert(input, at, [.. Enumerable.Repeat((byte)random.Next(256), 1 + random.Next(32))]);
            case 10:
                byte[] word = _words[random.Next(_words.Length)];
                return Insert(Cut(input, at, word.Length), at, word);
            default:
                return [.. input.AsSpan(0, at), .. other.AsSpan(Math.Min(other.Length, random.Next(other.Length + 1)))];
        }
    }

    private byte[] Change(byte[] input, Action<byte[], int, Random> change)
    {
        change(input, random.Next(input.Length), random);
        return input;
    }

    private byte[] PutNumber(byte[] input)
    {
        long number = s_numbers[random.Next(s_numbers.Length)];
        Span<byte> bytes = stackalloc byte[8];
        bool isBig = random.Next(4) == 0;
        if (isBig)
        {
            BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        }
        else
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        }

        int length = Math.Min(1 << random.Next(4), input.Length);
        int at = random.Next(input.Length - length + 1);
        at = random.Next(2) == 0 ? at - (at % length) : at;
        (isBig ? bytes[^length..] : bytes[..length]).CopyTo(input.AsSpan(at));
        return input;
    }

    private byte[] Move(byte[] input, int at)
    {
        byte[] piece = Piece(input);
        return random.Next(2) == 0 ? Insert(input, at, piece) : Insert(Cut(input, at, piece.Length), at, piece);
    }

    private byte[] Piece(byte[] bytes)
    {
        int start = random.Next(bytes.Length + 1);
        int most = random.Next(8) == 0 ? bytes.Length : 128;
        return bytes[start..(start + random.Next(Math.Min(most, bytes.Length - start) + 1))];
    }

    private static byte[] Cut(byte[] input, int at, int length)
    {
        length = Math.Min(length, input.Length - at);
        return [.. input.AsSpan(0, at), .. input.AsSpan(at + length)];
    }

    private static byte[] Insert(byte[] input, int at, ReadOnlySpan<byte> piece)
    {
        at = Math.Min(at, input.Length);
        return [.. input.AsSpan(0, at), .. piece, .. input.AsSpan(at)];
    }
}
