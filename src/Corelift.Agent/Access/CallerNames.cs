using System.Security.Cryptography;
using System.Text;

namespace Corelift.Agent.Access;

/// <summary>Names of callers for logs and audit.</summary>
internal static class CallerNames
{
    private const int MaxLength = 512;
    private const int Kept = 400;
    private const int DigestBytes = 16;

    /// <summary>A name without control characters; of one that is too long the beginning, and a digest that keeps it apart from others.</summary>
    internal static string Bound(string name)
    {
        string safe = AgentLog.Escape(name);
        return safe.Length <= MaxLength
            ? safe
            : $"{safe[..Kept]}...sha256:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(safe)).AsSpan(0, DigestBytes))}";
    }
}
