using System.Globalization;
using System.Text;

namespace Corelift.Cli.Output;

/// <summary>Makes text from targets and agents harmless: a process can name itself with whatever a terminal obeys.</summary>
internal static class TerminalText
{
    /// <summary>Replaces control characters, line breaks, bidirectional overrides and broken surrogates by \xNN and \uNNNN.</summary>
    internal static string Escape(string text)
    {
        int first = FirstUnsafe(text, 0);
        if (first < 0)
        {
            return text;
        }

        StringBuilder result = new();
        int copied = 0;
        for (int at = first; at >= 0; at = FirstUnsafe(text, at + 1))
        {
            result.Append(text, copied, at - copied);
            int code = text[at];
            result.Append(code <= 0xFF ? "\\x" : "\\u").Append(code.ToString(code <= 0xFF ? "x2" : "x4", CultureInfo.InvariantCulture));
            copied = at + 1;
        }

        return result.Append(text, copied, text.Length - copied).ToString();
    }

    private static int FirstUnsafe(string text, int from)
    {
        for (int at = from; at < text.Length; at++)
        {
            if (char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]))
            {
                at++;
            }
            else if (char.GetUnicodeCategory(text[at]) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.Surrogate or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
            {
                return at;
            }
        }

        return -1;
    }
}
