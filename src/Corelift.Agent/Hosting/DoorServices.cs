using Corelift.Agent.Access;
using Corelift.Agent.Access.Tls;
using Corelift.Agent.Access.Tokens;

namespace Corelift.Agent.Hosting;

/// <summary>Registers what finds out who calls.</summary>
internal static class DoorServices
{
    /// <exception cref="StartRefusedException">A file of a TLS door cannot be used.</exception>
    internal static void AddDoors(this IServiceCollection services, AgentOptions options)
    {
        services.AddSingleton(options.Doors);
        services.AddSingleton<CallerAuthentication>();
        if (options.Doors.AllowAuthenticated)
        {
            services.AddSingleton<IRightsSource, AuthenticatedRights>();
        }

        if (options.Oidc is { } oidc)
        {
            services.AddSingleton<IBearerAuthenticator>(provider => MakeAuthenticator(oidc, provider.GetRequiredService<ILogger<JwtAuthenticator>>()));
        }

        if (options.Tls is { } files)
        {
            services.AddSingleton(provider => Open(files, provider));
            services.AddHostedService(provider => provider.GetRequiredService<TlsDoor>());
        }
    }

    private static TlsDoor Open(TlsFiles files, IServiceProvider provider)
    {
        try
        {
            bool takesTokens = provider.GetServices<IBearerAuthenticator>().Any();
            return new TlsDoor(files, certificateIsOptional: takesTokens, provider.GetRequiredService<ILogger<TlsDoor>>());
        }
        catch (TlsFileException failure)
        {
            throw new StartRefusedException(failure.Message);
        }
    }

    private static JwtAuthenticator MakeAuthenticator(OidcOptions oidc, ILogger logger)
    {
        IIssuerKeys keys = oidc.KeyFile is { } file ? new IssuerKeyFile(file, logger) : new IssuerKeyClient(oidc.Uri, oidc.CaFile, logger, new IssuerPace());
        return new JwtAuthenticator(new JwtRules(oidc.Issuer, oidc.Audiences), keys, logger);
    }
}
