using System.Text;
using Corelift.Fuzz.Engine;
using Corelift.Sealing;

namespace Corelift.Fuzz.Targets;

/// <summary>Files of public and of private keys.</summary>
internal sealed class KeysTarget : IFuzzTarget
{
    public static string Name => "keys";

    public static IReadOnlyList<string> Words => ["age1", "AGE-SECRET-KEY-1", "# public key: ", "\n", "age1pq1", "AGE-PLUGIN-"];

    public static IEnumerable<byte[]> Seeds
    {
        get
        {
            AgeIdentity identity = AgeIdentity.Generate();
            return [Encoding.ASCII.GetBytes($"{identity.Recipient}\n# comment\n{identity.Recipient}\n"), Encoding.ASCII.GetBytes(identity.ToFileText(DateTimeOffset.UnixEpoch))];
        }
    }

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        string text = Encoding.UTF8.GetString(input);
        Try(text, static list => AgeRecipient.ParseList(list).Count);
        Try(text, static list => AgeIdentity.ParseList(list).Count);
    }

    private static void Try(string text, Func<TextReader, int> parse)
    {
        try
        {
            _ = parse(new StringReader(text));
        }
        catch (AgeException)
        {
            // What is documented.
        }
    }
}
