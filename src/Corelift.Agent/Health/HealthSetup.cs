using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Corelift.Agent.Health;

/// <summary>
/// gRPC's health service: <c>liveness</c> says that the agent answers, <c>readiness</c> that it takes work, and the empty
/// name, which clients ask for first, the same.
/// </summary>
internal static class HealthSetup
{
    private const string Liveness = "liveness";
    private const string Readiness = "readiness";

    /// <summary>Adds it.</summary>
    internal static void AddAgentHealth(this IServiceCollection services)
    {
        services.AddSingleton<AgentReadiness>();
        services.AddSingleton<IReadinessSource, WorkerReadiness>();
        services.AddSingleton<ReadinessCheck>();
        services.AddGrpcHealthChecks(health =>
            {
                health.Services.Clear();
                health.Services.Map(string.Empty, check => check.Name == Readiness);
                health.Services.Map(Readiness, check => check.Name == Readiness);
                health.Services.Map(Liveness, check => check.Name == Liveness);
            })
            .AddCheck(Liveness, () => HealthCheckResult.Healthy())
            .AddCheck<ReadinessCheck>(Readiness);

        // For those who watch; who asks gets an answer of that moment.
        services.Configure<HealthCheckPublisherOptions>(health =>
        {
            health.Delay = TimeSpan.Zero;
            health.Period = TimeSpan.FromSeconds(10);
        });
    }

    private sealed class ReadinessCheck(AgentReadiness readiness) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            IReadOnlyList<string> reasons = await readiness.AskAsync(cancellationToken).ConfigureAwait(false);
            return reasons.Count == 0 ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy(string.Join("; ", reasons));
        }
    }
}
