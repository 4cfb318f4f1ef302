using System.Text.Json;

namespace Corelift.Agent.Audit;

/// <summary>Reads lines; what has no end is no line.</summary>
internal sealed class AuditLines(Stream stream)
{
    private const int MostLineBytes = 1 << 20;

    private byte[] _buffer = new byte[64 << 10];
    private int _start;
    private int _end;

    /// <summary>Position behind the last line that was read, in bytes.</summary>
    internal long Position { get; private set; }

    /// <summary>The next line without its end, or null. Valid until the next call.</summary>
    /// <exception cref="IOException">Longer than any record.</exception>
    internal ReadOnlyMemory<byte>? Read()
    {
        int searched = _start;
        while (true)
        {
            int length = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, searched + length - _start);
                Position += line.Length + 1;
                _start += line.Length + 1;
                return line;
            }

            if (_start > 0)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                (_end, _start) = (_end - _start, 0);
            }

            if (_end == _buffer.Length)
            {
                if (_buffer.Length >= MostLineBytes)
                {
                    throw new IOException("a line is longer than any audit record");
                }

                Array.Resize(ref _buffer, _buffer.Length * 2);
            }

            searched = _end;
            int read = stream.Read(_buffer, _end, _buffer.Length - _end);
            if (read == 0)
            {
                return null;
            }

            _end += read;
        }
    }
}

/// <summary>What the next agent has to know of a line.</summary>
internal readonly record struct AuditLine(long Sequence, string Event, string Operation, IReadOnlyList<string> Open)
{
    private const long LargestSequence = 1L << 53; // nobody has written so many

    /// <exception cref="JsonException">No JSON.</exception>
    /// <exception cref="FormatException">No number that a record can have.</exception>
    internal static AuditLine Parse(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        JsonElement root = document.RootElement;
        long sequence = root.GetProperty("seq"u8).GetInt64();
        return new AuditLine(
            sequence is > 0 and <= LargestSequence ? sequence : throw new FormatException($"a record of number {sequence}"),
            root.GetProperty("event"u8).GetString() ?? string.Empty,
            root.TryGetProperty("operation"u8, out JsonElement id) ? id.GetString() ?? string.Empty : string.Empty,
            root.TryGetProperty("open"u8, out JsonElement open) ? [.. open.EnumerateArray().Select(item => item.GetString()!)] : []);
    }

    internal void Note(HashSet<string> open)
    {
        switch (Event)
        {
            case "begin":
                open.Add(Operation);
                break;
            case "end":
                open.Remove(Operation);
                break;
            case "continued":
                open.UnionWith(Open);
                break;
        }
    }
}
