using System.Globalization;
using System.Net;

namespace Corelift.Agent.Hosting;

/// <summary>Where to listen: a Unix socket, a port with TLS, or a port of the loopback interface without.</summary>
/// <param name="Path">Absolute path of the socket; null for TCP.</param>
/// <param name="EndPoint">Address and port; null for a Unix socket.</param>
/// <param name="IsTls">Whether TLS is spoken there; without it the address is one of the loopback interface.</param>
internal sealed record ListenAddress(string? Path, IPEndPoint? EndPoint, bool IsTls = false)
{
    private const string UnixPrefix = "unix:";
    private const string HttpPrefix = "http://";
    private const string HttpsPrefix = "https://";
    private const int MaxPathBytes = 107; // sizeof(sockaddr_un.sun_path) less the terminator

    /// <summary>Reads an address as the command line gives it.</summary>
    /// <exception cref="StartRefusedException">Not one to listen on; the message says which are.</exception>
    internal static ListenAddress Parse(string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            return ParsePath(text[UnixPrefix.Length..]);
        }

        bool isTls = text.StartsWith(HttpsPrefix, StringComparison.Ordinal);
        return isTls || text.StartsWith(HttpPrefix, StringComparison.Ordinal)
            ? ParseEndPoint(text, text[(isTls ? HttpsPrefix : HttpPrefix).Length..].TrimEnd('/'), isTls)
            : throw new StartRefusedException($"cannot listen on '{text}': use unix:PATH, https://ADDRESS:PORT, or http://127.0.0.1:PORT");
    }

    /// <inheritdoc/>
    public override string ToString() => Path is not null ? UnixPrefix + Path : (IsTls ? HttpsPrefix : HttpPrefix) + EndPoint;

    private static ListenAddress ParsePath(string path)
    {
        // unix:///run/x, as gRPC also writes it, is the same path.
        path = path.StartsWith("///", StringComparison.Ordinal) ? path[2..] : path;
        if (!path.StartsWith('/') || path.EndsWith('/') || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new StartRefusedException($"cannot listen on '{UnixPrefix}{path}': the path must be absolute and name a file");
        }

        return System.Text.Encoding.UTF8.GetByteCount(path) > MaxPathBytes
            ? throw new StartRefusedException($"cannot listen on '{UnixPrefix}{path}': a socket's path has at most {MaxPathBytes} bytes; use a shorter directory")
            : new ListenAddress(path, null);
    }

    private static ListenAddress ParseEndPoint(string text, string rest, bool isTls)
    {
        // Literals alone: what a name means is for the resolver to say, and may change.
        int colon = rest.LastIndexOf(':');
        bool bracketed = rest.StartsWith('[') && colon > 0 && rest[colon - 1] == ']';
        string host = colon < 0 ? rest : bracketed ? rest[1..(colon - 1)] : rest[..colon];
        bool isPort = int.TryParse(colon < 0 ? string.Empty : rest[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int port);
        if (!isPort || port > IPEndPoint.MaxPort || !IPAddress.TryParse(host, out IPAddress? address) || host.Contains(':', StringComparison.Ordinal) != bracketed)
        {
            throw new StartRefusedException($"cannot listen on '{text}': use https://0.0.0.0:PORT, https://[::]:PORT or http://127.0.0.1:PORT, with a literal address and a port");
        }

        return isTls || IPAddress.IsLoopback(address)
            ? new ListenAddress(null, new IPEndPoint(address, port), isTls)
            : throw new StartRefusedException(
                $"will not listen on '{text}': without TLS, whoever reaches that address could read any process of this host; "
                + "use a Unix socket, or https:// with --tls-certificate, --tls-key and --client-ca");
    }
}
