using System.Collections;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Corelift.Fuzz.Targets;

/// <summary>Changes messages of the wire contract as messages: a field, an entry of a list, their order.</summary>
internal static class MessageMutation
{
    private const int Deepest = 6;

    private static readonly ulong[] s_numbers =
        [0, 1, 2, 3, 62, 64, 4095, 4096, 8192, 65536, 0x400000, 0x600000, 0x601000, 0x7ffc00000000, int.MaxValue, uint.MaxValue, long.MaxValue - 4095, 1UL << 62, 1UL << 63, ulong.MaxValue - 4095, ulong.MaxValue];

    /// <summary>Changes a stream of messages.</summary>
    internal static byte[]? Mutate(byte[] input, Random random)
    {
        List<CaptureResponse> messages = [];
        foreach (byte[] bytes in Captures.Cut(input))
        {
            try
            {
                messages.Add(CaptureResponse.Parser.ParseFrom(bytes));
            }
            catch (InvalidProtocolBufferException)
            {
                // Left out: chance may put it back.
            }
        }

        if (messages.Count == 0)
        {
            return null;
        }

        for (int step = random.Next(1, 5); step > 0 && messages.Count > 0; step--)
        {
            Step(messages, random);
        }

        return Captures.ToBytes(messages);
    }

    /// <summary>Changes one field of a message, or of one that is in it.</summary>
    internal static void Change(IMessage message, Random random, int depth = 0)
    {
        IList<FieldDescriptor> fields = message.Descriptor.Fields.InDeclarationOrder();
        if (fields.Count == 0)
        {
            return;
        }

        // Of a choice, the part that is there is changed: setting another one would replace it.
        FieldDescriptor? chosen = message.Descriptor.Oneofs.Where(choice => !choice.IsSynthetic).Select(choice => choice.Accessor.GetCaseFieldDescriptor(message)).FirstOrDefault(field => field is not null);
        FieldDescriptor field = chosen ?? fields[random.Next(fields.Count)];
        object? value = field.Accessor.GetValue(message);
        switch (value)
        {
            case IMessage inner when depth < Deepest && random.Next(12) != 0:
                Change(inner, random, depth + 1);
                break;
            case IList list when list.Count > 0:
                ChangeList(list, random, depth);
                break;
            case IList or IDictionary:
                break;
            default:
                if (random.Next(8) == 0 && chosen is null)
                {
                    field.Accessor.Clear(message);
                }
                else if (Other(field, value, random) is { } other)
                {
                    field.Accessor.SetValue(message, other);
                }

                break;
        }
    }

    private static void Step(List<CaptureResponse> messages, Random random)
    {
        int at = random.Next(messages.Count);
        switch (random.Next(10))
        {
            case 0:
                messages.RemoveAt(at);
                break;
            case 1:
                messages.Insert(random.Next(messages.Count + 1), messages[at].Clone());
                break;
            case 2:
                int other = random.Next(messages.Count);
                (messages[at], messages[other]) = (messages[other], messages[at]);
                break;
            default:
                Change(messages[at], random);
                break;
        }
    }

    private static void ChangeList(IList list, Random random, int depth)
    {
        int at = random.Next(list.Count);
        switch (random.Next(6))
        {
            case 0:
                list.RemoveAt(at);
                break;
            case 1 when list.Count < 64:
                list.Add(list[at] is IMessage whole ? Clone(whole) : list[at]);
                break;
            default:
                if (list[at] is IMessage entry)
                {
                    Change(entry, random, depth + 1);
                }

                break;
        }
    }

    private static IMessage Clone(IMessage message) => message.Descriptor.Parser.ParseFrom(message.ToByteArray());

    private static object? Other(FieldDescriptor field, object? value, Random random)
    {
        ulong number = random.Next(3) == 0 ? (ulong)random.NextInt64() : s_numbers[random.Next(s_numbers.Length)];
        return unchecked(field.FieldType switch
        {
            FieldType.UInt64 or FieldType.Fixed64 when value is ulong old && random.Next(3) == 0 => old + (ulong)((long)random.Next(-3, 4) * 4096),
            FieldType.UInt64 or FieldType.Fixed64 => number,
            FieldType.UInt32 or FieldType.Fixed32 when value is uint old && random.Next(3) == 0 => old + (uint)random.Next(-2, 3),
            FieldType.UInt32 or FieldType.Fixed32 => (uint)number,
            FieldType.Int64 or FieldType.SInt64 => (long)number,
            FieldType.Int32 or FieldType.SInt32 => (int)number,
            FieldType.Bool => random.Next(2) == 0,
            FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, random.Next(-1, 9)),
            FieldType.String => random.Next(4) == 0 ? new string('x', random.Next(300)) : new[] { "", "r-xp", "/a", "[heap]", "\0", "\n\u001b[2J", "age1x", "x" }[random.Next(8)],
            FieldType.Bytes => ByteString.CopyFrom(new byte[new[] { 0, 1, 16, 127, 128, 216, 4096 }[random.Next(7)]]),
            FieldType.Message when field.MessageType.Parser is { } parser => parser.ParseFrom([]),
            _ => (object?)null,
        });
    }
}
