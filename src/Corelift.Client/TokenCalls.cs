using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Corelift.Client;

/// <summary>Sends a bearer token with each call, read from its file each time: tokens are renewed while clients run.</summary>
internal static class TokenCalls
{
    private const int MaxTokenBytes = 64 * 1024;

    internal static CallInvoker WithToken(this CallInvoker invoker, AgentAddress address, string? tokenFile) =>
        tokenFile is null ? invoker : invoker.Intercept(headers => AddToken(headers, address, tokenFile));

    private static Metadata AddToken(Metadata headers, AgentAddress address, string tokenFile)
    {
        if (address.SocketPath is null && address.Uri.Scheme != Uri.UriSchemeHttps)
        {
            throw new AgentException(StatusCode.Unauthenticated, "TOKEN_REFUSED", $"a token is not sent to {address}, where others could read it: use https or a Unix socket");
        }

        headers.Add("authorization", "Bearer " + Read(tokenFile));
        return headers;
    }

    private static string Read(string tokenFile)
    {
        try
        {
            string token = new FileInfo(tokenFile).Length <= MaxTokenBytes ? File.ReadAllText(tokenFile).Trim() : "";
            return token.Length > 0 && token.All(letter => letter is > ' ' and < '\x7f')
                ? token
                : throw new AgentException(StatusCode.Unauthenticated, "TOKEN_REFUSED", $"{tokenFile} does not hold one token");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new AgentException(StatusCode.Unauthenticated, "TOKEN_REFUSED", $"the token cannot be read: {failure.Message}", failure);
        }
    }
}
