namespace Corelift.Cli.Cluster;

/// <summary>Reads a bearer token from a file.</summary>
internal static class TokenText
{
    private const int LongestBytes = 64 * 1024;

    /// <exception cref="ClusterException">The file cannot be read, or holds no token.</exception>
    internal static string Read(string path)
    {
        try
        {
            string token = new FileInfo(path).Length <= LongestBytes ? File.ReadAllText(path).Trim() : "";
            return IsToken(token) ? token : throw new ClusterException($"{path} does not hold one token", ExitCode.Usage);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ClusterException($"the token for the API server cannot be read: {failure.Message}", ExitCode.Usage, failure);
        }
    }

    /// <summary>Whether a text can stand in a header as a token.</summary>
    internal static bool IsToken(string? text) => text is { Length: > 0 and <= LongestBytes } && text.All(letter => letter is > ' ' and < '\x7f');
}
