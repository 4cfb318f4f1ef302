using Corelift.Agent.Access;

namespace Corelift.Agent.Kubernetes;

/// <summary>Puts together what knows of Kubernetes, where there is one.</summary>
internal static class KubernetesServices
{
    /// <summary>Adds a directory of pods, and, where there is an API server, what finds out who calls and what they may.</summary>
    /// <param name="services">The agent's services.</param>
    /// <param name="address">The API server, or null for none.</param>
    internal static void AddKubernetes(this IServiceCollection services, ApiAddress? address)
    {
        if (address is null)
        {
            services.AddSingleton<IPodDirectory, NoPodDirectory>();
            return;
        }

        services.AddSingleton(address);
        services.AddSingleton(_ => new ApiClient(address));
        services.AddSingleton<ApiQuestions>();
        services.AddSingleton<IBearerAuthenticator>(provider => new TokenReviewAuthenticator(
            provider.GetRequiredService<ApiClient>(), provider.GetRequiredService<ApiQuestions>(), address.Audience, TimeProvider.System));
        services.AddSingleton<IRightsSource>(provider => new SubjectAccessReviewRights(
            provider.GetRequiredService<ApiClient>(), provider.GetRequiredService<ApiQuestions>(), TimeProvider.System));
        if (address.NodeName.Length == 0)
        {
            services.AddSingleton<IPodDirectory, NoPodDirectory>();
            return;
        }

        services.AddSingleton<PodTable>();
        services.AddSingleton(provider => new PodDirectory(
            provider.GetRequiredService<ApiClient>(), address.NodeName, provider.GetRequiredService<PodTable>()));
        services.AddSingleton<IPodDirectory>(provider => provider.GetRequiredService<PodDirectory>());
        services.AddHostedService(provider => new PodWatcher(
            provider.GetRequiredService<ApiClient>(),
            address.NodeName,
            provider.GetRequiredService<PodDirectory>(),
            provider.GetRequiredService<PodTable>(),
            provider.GetRequiredService<ILogger<PodWatcher>>()));
    }

    /// <summary>Logs which API server is asked, if any, and what is missing.</summary>
    internal static void LogKubernetes(this IServiceProvider services, ILogger logger)
    {
        if (services.GetService<ApiAddress>() is { } address)
        {
            logger.KubernetesFound(address.Server.Authority, AgentLog.Escape(address.Audience));
            if (address.NodeName.Length == 0)
            {
                logger.NodeUnknown();
            }
        }
    }
}
