using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Corelift.Client;

/// <summary>Where an agent listens: a Unix socket, or http(s)://host:port.</summary>
public sealed record AgentAddress
{
    /// <summary>Where an agent listens unless it is told otherwise.</summary>
    public const string DefaultText = "unix:/run/corelift/agent.sock";

    private const int LongestSocketPathBytes = 107; // sun_path of unix(7), without its NUL

    private AgentAddress(string text, string? socketPath, Uri uri)
    {
        Text = text;
        SocketPath = socketPath;
        Uri = uri;
    }

    /// <summary>The address of an agent on this host with default settings.</summary>
    public static AgentAddress Default { get; } = Parse(DefaultText);

    /// <summary>The address in its usual spelling: "unix:/path" or "http://host:port".</summary>
    public string Text { get; }

    /// <summary>Path of the Unix socket, or null for http and https.</summary>
    public string? SocketPath { get; }

    /// <summary>What HTTP/2 calls the host; "http://localhost" for a Unix socket.</summary>
    public Uri Uri { get; }

    /// <summary>Reads an address: unix:/path, unix:///path, /path, http://host:port or https://host:port.</summary>
    /// <exception cref="FormatException">Anything else; the message says what is wrong with it.</exception>
    public static AgentAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out AgentAddress? address, out string? problem) ? address : throw new FormatException(problem);
    }

    /// <summary>Reads an address as <see cref="Parse"/> does, without throwing.</summary>
    /// <param name="text">The address.</param>
    /// <param name="address">The address, or null.</param>
    /// <param name="problem">What is wrong with it, or null.</param>
    public static bool TryParse(
        string? text, [NotNullWhen(true)] out AgentAddress? address, [NotNullWhen(false)] out string? problem)
    {
        address = null;
        if (string.IsNullOrWhiteSpace(text))
        {
            problem = $"the agent's address is empty; try {DefaultText}";
        }
        else if (text.StartsWith("unix:", StringComparison.OrdinalIgnoreCase))
        {
            address = ParseSocket(text, text[5..], out problem);
        }
        else if (text[0] == '/')
        {
            address = ParseSocket(text, text, out problem);
        }
        else
        {
            address = ParseUri(text, out problem);
        }

        return address is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static AgentAddress? ParseSocket(string text, string path, out string? problem)
    {
        problem = null;
        if (path.StartsWith("//", StringComparison.Ordinal))
        {
            if (!path.StartsWith("///", StringComparison.Ordinal))
            {
                problem = $"'{text}' names a host; a socket is on this one: unix:/path or unix:///path";
                return null;
            }

            path = path[2..];
        }

        if (path.Length < 2 || path[0] != '/')
        {
            problem = $"'{text}' has no absolute path; write for example {DefaultText}";
        }
        else if (path.Contains('\0', StringComparison.Ordinal))
        {
            problem = "the path of the agent's socket contains a NUL";
        }
        else if (Encoding.UTF8.GetByteCount(path) > LongestSocketPathBytes)
        {
            problem = $"the path of '{text}' is longer than the {LongestSocketPathBytes} bytes that a Unix socket can have";
        }

        return problem is null ? new AgentAddress($"unix:{path}", path, new Uri("http://localhost")) : null;
    }

    private static AgentAddress? ParseUri(string text, out string? problem)
    {
        problem = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0)
        {
            problem = $"'{text}' is no address of an agent; write unix:/path, /path, http://host:port or https://host:port";
            return null;
        }

        if (uri.PathAndQuery != "/" || uri.Fragment.Length > 0 || uri.UserInfo.Length > 0)
        {
            problem = $"'{text}' has more than a host and a port; write {uri.Scheme}://{uri.Authority}";
            return null;
        }

        return new AgentAddress($"{uri.Scheme}://{uri.Authority}", null, uri);
    }
}
