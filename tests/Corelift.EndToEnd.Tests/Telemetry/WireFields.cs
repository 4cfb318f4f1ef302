using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;

namespace Corelift.EndToEnd.Tests.Telemetry;

/// <summary>A protobuf message by its field numbers, without its schema: enough to read what OTLP sends.</summary>
internal sealed class WireFields
{
    private readonly Dictionary<uint, List<object>> _fields = [];

    internal WireFields(byte[] message)
    {
        var input = new CodedInputStream(message);
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            object value = (tag & 7) switch
            {
                0 => input.ReadUInt64(),
                1 => input.ReadFixed64(),
                2 => input.ReadBytes().ToByteArray(),
                5 => (ulong)input.ReadFixed32(),
                _ => throw new InvalidDataException($"wire type {tag & 7}"),
            };
            (_fields.TryGetValue(tag >> 3, out List<object>? values) ? values : _fields[tag >> 3] = []).Add(value);
        }
    }

    internal bool Has(uint field) => _fields.ContainsKey(field);

    internal IEnumerable<WireFields> Messages(uint field) => Values(field).Select(value => new WireFields((byte[])value));

    internal string Text(uint field) => Encoding.UTF8.GetString(Bytes(field));

    internal string Hex(uint field) => Convert.ToHexStringLower(Bytes(field));

    internal ulong Number(uint field) => Values(field).Cast<ulong>().LastOrDefault();

    internal double Double(uint field) => BitConverter.UInt64BitsToDouble(Number(field));

    internal double[] Doubles(uint field) => [.. Packed(field).Select(BitConverter.UInt64BitsToDouble)];

    internal ulong[] Packed(uint field) => [.. Bytes(field).Chunk(8).Select(piece => BinaryPrimitives.ReadUInt64LittleEndian(piece))];

    /// <summary>A list of KeyValue as a dictionary; numbers and booleans as text.</summary>
    internal Dictionary<string, string> Attributes(uint field) => Messages(field).ToDictionary(pair => pair.Text(1), pair => AnyValue(pair.Messages(2).Single()));

    internal static string AnyValue(WireFields value) => value.Has(1) ? value.Text(1)
        : value.Has(3) ? $"{(long)value.Number(3)}"
        : value.Has(4) ? value.Double(4).ToString("R", System.Globalization.CultureInfo.InvariantCulture)
        : value.Has(2) ? $"{value.Number(2) != 0}"
        : "";

    private byte[] Bytes(uint field) => (byte[]?)Values(field).LastOrDefault() ?? [];

    private List<object> Values(uint field) => _fields.GetValueOrDefault(field, []);
}
