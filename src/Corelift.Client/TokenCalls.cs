using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Corelift.Client;

/// <summary>Sends a bearer token with each call, read or asked for each time: tokens are renewed while clients run.</summary>
internal static class TokenCalls
{
    private const int MaxTokenBytes = 64 * 1024;

    internal static CallInvoker WithToken(this CallInvoker invoker, AgentAddress address, CoreliftClientOptions options) =>
        options.TokenFile is { } file ? invoker.Intercept(headers => AddToken(headers, address, () => Read(file)))
        : options.Token is { } token ? invoker.Intercept(headers => AddToken(headers, address, () => Verify(token(), "what was to give the token")))
        : invoker;

    private static Metadata AddToken(Metadata headers, AgentAddress address, Func<string> token)
    {
        if (address.SocketPath is null && address.Uri.Scheme != Uri.UriSchemeHttps)
        {
            throw new AgentException(StatusCode.Unauthenticated, "TOKEN_REFUSED", $"a token is not sent to {address}, where others could read it: use https or a Unix socket");
        }

        headers.Add("authorization", "Bearer " + token());
        return headers;
    }

    private static string Verify(string token, string where) => token.Length is > 0 and <= MaxTokenBytes && token.All(letter => letter is > ' ' and < '\x7f')
        ? token
        : throw new AgentException(StatusCode.Unauthenticated, "TOKEN_REFUSED", $"{where} does not hold one token");

    private static string Read(string tokenFile)
    {
        try
        {
            return Verify(new FileInfo(tokenFile).Length <= MaxTokenBytes ? File.ReadAllText(tokenFile).Trim() : "", tokenFile);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new AgentException(StatusCode.Unauthenticated, "TOKEN_REFUSED", $"the token cannot be read: {failure.Message}", failure);
        }
    }
}
