using System.Text.Json;

namespace Corelift.Agent.Access.Policy;

/// <summary>A value of a JSON text that knows where it stands, so that what is wrong with it can be said with its place.</summary>
internal sealed class JsonText
{
    private const int MostBytes = 1 << 20;
    private const int MostDepth = 16;

    private JsonText(JsonTokenType kind, int line)
    {
        Kind = kind;
        Line = line;
    }

    /// <summary>StartObject, StartArray, String, Number, True, False or Null.</summary>
    internal JsonTokenType Kind { get; }

    /// <summary>Line of its first letter, from 1.</summary>
    internal int Line { get; }

    /// <summary>Text of a string, and of a number as it is written.</summary>
    internal string Text { get; private init; } = string.Empty;

    /// <summary>Members of an object, in order; a name can come once.</summary>
    internal List<(string Name, int Line, JsonText Value)> Members { get; } = [];

    /// <summary>Items of an array.</summary>
    internal List<JsonText> Items { get; } = [];

    /// <summary>What it is, in words.</summary>
    internal string Describe() => Kind switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => $"the text \"{Text}\"",
        JsonTokenType.Number => $"the number {Text}",
        _ => Kind.ToString().ToLowerInvariant(),
    };

    /// <summary>Parses a text; comments and trailing commas are allowed.</summary>
    /// <exception cref="PolicyException">It is no JSON, too long, or too deep.</exception>
    internal static JsonText Parse(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes is [0xef, 0xbb, 0xbf, ..] ? bytes[3..] : bytes;
        if (bytes.Length > MostBytes)
        {
            throw new PolicyException([new PolicyProblem(1, $"the file is longer than {MostBytes >> 20} MiB")]);
        }

        var lines = new LineCounter(bytes);
        var options = new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = MostDepth };
        var reader = new Utf8JsonReader(bytes, options);
        if (bytes.Trim(" \t\r\n"u8).IsEmpty)
        {
            throw new PolicyException([new PolicyProblem(1, "the file is empty: write { \"version\": 1, \"rules\": [] }")]);
        }

        try
        {
            _ = reader.Read();
            JsonText root = ReadValue(ref reader, ref lines);
            _ = reader.Read(); // throws where something follows
            return root;
        }
        catch (JsonException failure)
        {
            string message = failure.Message;
            int place = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            throw new PolicyException([new PolicyProblem((int)(failure.LineNumber ?? 0) + 1, place < 0 ? message : message[..place])]);
        }
        catch (InvalidOperationException)
        {
            int line = new LineCounter(bytes).LineOf(reader.TokenStartIndex);
            throw new PolicyException([new PolicyProblem(line, "this is no text: write it in UTF-8, and no half of a surrogate pair (\\uD800 to \\uDFFF) alone")]);
        }
    }

    private static JsonText ReadValue(ref Utf8JsonReader reader, ref LineCounter lines)
    {
        int line = lines.LineOf(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return ReadObject(ref reader, ref lines, line);
            case JsonTokenType.StartArray:
                var list = new JsonText(JsonTokenType.StartArray, line);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    list.Items.Add(ReadValue(ref reader, ref lines));
                }

                return list;
            case JsonTokenType.String:
                return new JsonText(JsonTokenType.String, line) { Text = reader.GetString()! };
            case JsonTokenType.Number:
                return new JsonText(JsonTokenType.Number, line) { Text = System.Text.Encoding.UTF8.GetString(reader.ValueSpan) };
            default:
                return new JsonText(reader.TokenType, line);
        }
    }

    private static JsonText ReadObject(ref Utf8JsonReader reader, ref LineCounter lines, int line)
    {
        var value = new JsonText(JsonTokenType.StartObject, line);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            string name = reader.GetString()!;
            int nameLine = lines.LineOf(reader.TokenStartIndex);
            if (value.Members.Exists(member => member.Name == name))
            {
                throw new PolicyException([new PolicyProblem(nameLine, $"\"{name}\" stands here twice: keep one of them")]);
            }

            _ = reader.Read();
            value.Members.Add((name, nameLine, ReadValue(ref reader, ref lines)));
        }

        return value;
    }

    /// <summary>Counts lines as the reader goes on; positions never go back.</summary>
    private ref struct LineCounter(ReadOnlySpan<byte> bytes)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private int _position = 0;
        private int _line = 1;

        internal int LineOf(long index)
        {
            _line += _bytes[_position..(int)index].Count((byte)'\n');
            _position = (int)index;
            return _line;
        }
    }
}
