using System.Runtime.InteropServices;
using Corelift.Capture.Worker;

namespace Corelift.Fuzz.Targets;

/// <summary>Messages of fixed size, as inputs: each behind its length (16 bits, little-endian), so that chance can change that as well.</summary>
internal static class Protocol
{
    private const int MostMessages = 32;
    private const int MostBytes = 16 * 1024;

    internal static byte[] Message<T>(T message)
        where T : unmanaged => WorkerMessage.ToBytes(ref message).ToArray();

    internal static byte[] Join(params IEnumerable<byte[]> messages) =>
        [.. messages.SelectMany(message => (byte[])[.. BitConverter.GetBytes((ushort)message.Length), .. message])];

    internal static List<byte[]> Cut(ReadOnlySpan<byte> input)
    {
        List<byte[]> messages = [];
        while (input.Length >= 2 && messages.Count < MostMessages)
        {
            int length = Math.Min(MemoryMarshal.Read<ushort>(input), Math.Min(MostBytes, input.Length - 2));
            messages.Add(input.Slice(2, length).ToArray());
            input = input[(2 + length)..];
        }

        return messages;
    }

    /// <summary>The same for messages behind a byte that says whom they are for, which stays.</summary>
    internal static byte[]? MutateAfterFirst(byte[] input, Random random) =>
        input.Length > 1 && Mutate(input.AsSpan(1), random) is { } changed ? [input[0], .. changed] : null;

    /// <summary>Changes the messages as such: their order, their number, a word in one of them; the lengths stay right.</summary>
    internal static byte[]? Mutate(ReadOnlySpan<byte> input, Random random)
    {
        List<byte[]> messages = Cut(input);
        if (messages.Count == 0)
        {
            return null;
        }

        for (int step = random.Next(1, 4); step > 0 && messages.Count > 0; step--)
        {
            int at = random.Next(messages.Count);
            switch (random.Next(8))
            {
                case 0:
                    messages.RemoveAt(at);
                    break;
                case 1:
                    messages.Insert(random.Next(messages.Count + 1), (byte[])messages[at].Clone());
                    break;
                default:
                    ChangeWord(messages[at], random);
                    break;
            }
        }

        return Join(messages);
    }

    private static void ChangeWord(byte[] message, Random random)
    {
        if (message.Length < 8)
        {
            return;
        }

        // The first few fields decide.
        int at = random.Next(Math.Min(message.Length, 160) / 4) * 4;
        long[] values = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1, 1_000_000, int.MaxValue, int.MinValue, long.MaxValue, long.MaxValue - 99_999_999, Environment.ProcessId, random.Next()];
        byte[] value = BitConverter.GetBytes(values[random.Next(values.Length)]);
        value.AsSpan(0, Math.Min(random.Next(2) == 0 ? 4 : 8, message.Length - at)).CopyTo(message.AsSpan(at));
    }
}
