using System.Security.Cryptography;
using System.Text;
using Corelift.Agent.Audit;
using Corelift.Cli.Audit;
using Corelift.Fuzz.Engine;

namespace Corelift.Fuzz.Targets;

/// <summary>
/// Audit logs that somebody changed: what the verifier says of them, and whether an agent goes on with them. A byte 0 parts the
/// log from its head.
/// </summary>
internal sealed class AuditTarget : IFuzzTarget
{
    private static readonly Lazy<string> s_folder = new(() => Directory.CreateTempSubdirectory("corelift-fuzz-audit-").FullName);

    public static string Name => "audit";

    public static IReadOnlyList<string> Words =>
        ["\"seq\":", "\"prev\":\"", "\"event\":\"begin\"", "\"event\":\"end\"", "\"operation\":", "\"missingUpTo\":", "\"open\":[", "9223372036854775807", "\n", "\\ud800", "null", "{", "}", "\"seq\":1,", new('0', 64)];

    public static IEnumerable<byte[]> Seeds => [Log(1), Log(long.MaxValue - 1)];

    /// <summary>Makes the hashes of the lines right again, as somebody would who changed the log.</summary>
    public static byte[]? Mutate(byte[] input, Random random)
    {
        string[] lines = Encoding.Latin1.GetString(input).Split('\n');
        string before = new('0', 64);
        for (int i = 0; i < lines.Length; i++)
        {
            int at = lines[i].IndexOf("\"prev\":\"", StringComparison.Ordinal);
            if (at >= 0 && lines[i].Length >= at + 72)
            {
                lines[i] = lines[i][..(at + 8)] + before + lines[i][(at + 72)..];
            }

            before = Convert.ToHexStringLower(SHA256.HashData(Encoding.Latin1.GetBytes(lines[i])));
        }

        return random.Next(2) == 0 ? Encoding.Latin1.GetBytes(string.Join('\n', lines)) : null;
    }

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        int middle = input.IndexOf((byte)0);
        string path = Path.Combine(s_folder.Value, "audit.log");
        File.WriteAllBytes(path, middle < 0 ? input : input[..middle]);
        File.WriteAllBytes(path + ".head", middle < 0 ? [] : input[(middle + 1)..]);
        _ = AuditVerifier.Verify([path], (2, new string('a', 64)));
        try
        {
            using AuditFile file = AuditFile.Open(path, DateTimeOffset.UnixEpoch);
            _ = (file.Sequence, file.OpenOperations.Count, file.MissingUpTo);
        }
        catch (IOException)
        {
            // What is documented.
        }
    }

    private static byte[] Log(long first)
    {
        StringBuilder log = new();
        string before = new('0', 64);
        foreach ((int index, string what) in ((string[])["\"event\":\"begin\",\"operation\":\"a\"", "\"event\":\"end\",\"operation\":\"a\""]).Index())
        {
            string line = $"{{\"seq\":{first + index},\"time\":\"2026-01-01T00:00:00.000000Z\",{what},\"prev\":\"{before}\"}}";
            before = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)));
            log.Append(line).Append('\n');
        }

        return Encoding.UTF8.GetBytes($"{log}\0{first + 1:d20} {before}\n");
    }
}
