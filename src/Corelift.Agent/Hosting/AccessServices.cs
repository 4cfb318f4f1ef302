#pragma warning disable CA2000 // What is made here is owned by what it goes to.
using Corelift.Agent.Access;
using Corelift.Agent.Access.Policy;
using Corelift.Agent.Audit;

namespace Corelift.Agent.Hosting;

/// <summary>Puts policy, gate, quotas and audit together.</summary>
internal static class AccessServices
{
    /// <summary>Adds them.</summary>
    /// <exception cref="StartRefusedException">The policy file is wrong.</exception>
    internal static void AddAccess(this IServiceCollection services, AgentOptions options)
    {
        if (options.Policy is { } path)
        {
            CheckPolicy(path);
            services.AddSingleton(provider => new PolicyStore(path, provider.GetRequiredService<ILogger<PolicyStore>>()));
            services.AddSingleton<IPolicySource>(provider => provider.GetRequiredService<PolicyStore>());
            services.AddSingleton<IRightsSource>(provider => provider.GetRequiredService<PolicyStore>());
            services.AddHostedService(provider => provider.GetRequiredService<PolicyStore>());
        }
        else
        {
            services.AddSingleton<IPolicySource, NoPolicy>();
            services.AddSingleton<IRightsSource, HostRights>();
        }

        services.AddSingleton<TargetIdentityReader>();
        services.AddSingleton<AccessGate>();
        services.AddSingleton(_ => new Quotas(TimeProvider.System));
        services.AddSingleton(provider => OpenTrail(provider, options.AuditLog));
        services.AddSingleton<Admission>();
        services.AddSingleton<LeaseBook>();
    }

    private static void CheckPolicy(string path)
    {
        try
        {
            _ = PolicyReader.Load(path);
        }
        catch (PolicyException failure)
        {
            throw new StartRefusedException($"the policy file {path} is wrong:\n{failure.Message}\nCorrect it, and try it with 'corelift-agent policy check {path}'");
        }
    }

    private static AuditTrail OpenTrail(IServiceProvider provider, string? path)
    {
        var policy = provider.GetRequiredService<IPolicySource>();
        ILogger log = provider.GetRequiredService<ILoggerFactory>().CreateLogger("Corelift.Audit");
        AuditFile? file = null;
        try
        {
            file = path is null ? null : AuditFile.Open(path, TimeProvider.System.GetUtcNow());
            return new AuditTrail(file, policy, TimeProvider.System, log);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            if (policy.Current.RequiresAudit)
            {
                throw new StartRefusedException(
                    $"cannot write the audit log {path}: {failure.Message}. Make its directory writable for the agent's user, with room, or let the "
                    + "policy say \"audit\": { \"required\": false }");
            }

            log.AuditFailed(AgentLog.Escape(failure.Message));
            return new AuditTrail(null, policy, TimeProvider.System, log);
        }
    }
}
