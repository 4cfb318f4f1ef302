using System.Globalization;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Tls;
using Corelift.Agent.Access.Tokens;
using Corelift.Agent.Configuration;
using Corelift.Agent.Kubernetes;

namespace Corelift.Agent.Hosting;

/// <summary>Reads what is set about the doors, and refuses what would leave one open.</summary>
internal static class DoorSettings
{
    private const int MaxModeDigits = 4;

    /// <summary>What the doors ask of callers.</summary>
    /// <exception cref="StartRefusedException">Two settings contradict each other.</exception>
    internal static DoorRules ReadRules(SettingValues values)
    {
        bool allows = values.Get(AgentSettings.AllowAuthenticated);
        return allows && values.Get(AgentSettings.Policy) is not null
            ? throw new StartRefusedException("--allow-authenticated lets callers do everything, which the rules of --policy are there to prevent: give one of them")
            : new DoorRules(allows, values.Get(AgentSettings.HealthWithoutIdentity));
    }

    /// <summary>The mode of the sockets, or null.</summary>
    /// <exception cref="StartRefusedException">It is none, or shuts out the agent itself.</exception>
    internal static UnixFileMode? ReadMode(SettingValues values)
    {
        if (values.Get(AgentSettings.SocketMode) is not { } text)
        {
            return null;
        }

        bool isOctal = text.Length <= MaxModeDigits && text.All(digit => digit is >= '0' and <= '7');
        var mode = (UnixFileMode)(isOctal ? Convert.ToInt32(text, 8) : -1);
        const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        const UnixFileMode Others = Owner | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        return isOctal && (mode & Owner) == Owner && (mode & ~Others) == 0
            ? mode
            : throw new StartRefusedException($"--socket-mode '{text}' is no mode for a socket: write 0600, 0660 or 0666");
    }

    /// <summary>The files of the TLS doors; null where no address is https.</summary>
    /// <exception cref="StartRefusedException">A file is missing from the settings, or a door would be open to everybody.</exception>
    internal static TlsFiles? ReadTls(SettingValues values, IReadOnlyList<ListenAddress> addresses)
    {
        if (addresses.FirstOrDefault(address => address is { Path: null, IsTls: false }) is { } plain && !values.Get(AgentSettings.AllowAnonymousLoopback))
        {
            throw new StartRefusedException(
                $"will not listen on '{plain}': every user of this host, and every container that shares its network, could read any process through it. "
                + "Use a Unix socket, or https:// with --tls-certificate, --tls-key and --client-ca; or say --allow-anonymous-loopback if you mean it");
        }

        (string? certificate, string? key, string? clientCa) =
            (values.Get(AgentSettings.TlsCertificate), values.Get(AgentSettings.TlsKey), values.Get(AgentSettings.ClientCa));
        if (addresses.FirstOrDefault(address => address.IsTls) is not { } door)
        {
            return (certificate ?? key ?? clientCa) is null
                ? null
                : throw new StartRefusedException("there are TLS files, and no address to use them on: add --listen https://ADDRESS:PORT, or leave them out");
        }

        if (certificate is null || key is null)
        {
            throw new StartRefusedException($"cannot listen on '{door}' without --tls-certificate FILE and --tls-key FILE");
        }

        return clientCa is null && !TakesTokens(values)
            ? throw new StartRefusedException(
                $"will not listen on '{door}': nobody could say who calls. Name the CAs of client certificates with --client-ca FILE, "
                + "an issuer of tokens with --oidc-issuer URL and --oidc-audience NAME, or a Kubernetes API server with --kubernetes on")
            : new TlsFiles(certificate, key, clientCa);
    }

    /// <summary>The issuer of tokens, or null.</summary>
    /// <exception cref="StartRefusedException">Something about it is missing or wrong.</exception>
    internal static OidcOptions? ReadOidc(SettingValues values)
    {
        string?[] audiences = [.. values.GetAll(AgentSettings.OidcAudience)];
        (string? keyFile, string? caFile) = (values.Get(AgentSettings.OidcJwksFile), values.Get(AgentSettings.OidcCa));
        if (values.Get(AgentSettings.OidcIssuer) is not { } issuer)
        {
            return audiences.Length == 0 && (keyFile ?? caFile) is null
                ? null
                : throw new StartRefusedException("--oidc-audience, --oidc-jwks-file and --oidc-ca mean nothing without --oidc-issuer URL");
        }

        if (audiences.Length == 0)
        {
            throw new StartRefusedException("--oidc-issuer needs --oidc-audience NAME: without it, tokens made for any other service would be taken");
        }

        bool isUri = Uri.TryCreate(issuer, UriKind.Absolute, out Uri? uri) && uri is { Scheme: "https", Query.Length: 0, Fragment.Length: 0, UserInfo.Length: 0 };
        return isUri
            ? new OidcOptions(uri!, issuer, [.. audiences.Select(audience => audience!)], keyFile, caFile)
            : throw new StartRefusedException(string.Create(CultureInfo.InvariantCulture, $"--oidc-issuer '{issuer}' is no https URL"));
    }

    /// <summary>Whether some source of identities takes tokens, so that a TLS door without client certificates is not open.</summary>
    private static bool TakesTokens(SettingValues values) =>
        values.Get(AgentSettings.OidcIssuer) is not null || ApiAddress.Find(KubernetesOptions.Read(values), Environment.GetEnvironmentVariable) is not null;
}
