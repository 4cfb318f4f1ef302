using Corelift.Agent.Access;
using Corelift.Agent.Audit;
using Corelift.Agent.Services;
using Corelift.Capture;

namespace Corelift.Agent.Hosting;

/// <summary>
/// Begins and ends the engine's work with the agent's. Before the server is stopped, and before calls are waited for,
/// everybody who is held runs again; captures, whose targets run already, may end by themselves for a while.
/// </summary>
internal sealed class EngineLifetime(CaptureEngine engine, ShutdownGate gate, LeaseBook leases, AuditTrail audit, AgentOptions options, ILogger<EngineLifetime> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan s_patienceWithCleanUp = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Cleans up after an agent that was killed, before the first call is taken. What takes longer, as its target has no CPU,
    /// goes on beside them; a failure keeps nobody from working.
    /// </summary>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        engine.LeftBehind = what => logger.LeftBehind(AgentLog.Escape(what));
        return Task.WhenAny(CleanUpAsync(), Task.Delay(s_patienceWithCleanUp, cancellationToken));
    }

    /// <summary>Is not ready any more, refuses what comes, resumes everybody, gives captures their grace, and ends what is left.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        gate.Close();
        logger.Stopping(engine.ActiveCount);
        int left = await engine.DrainAsync(options.StopGrace, cancellationToken).ConfigureAwait(false);
        if (left > 0)
        {
            logger.GraceIsOver(left, options.StopGrace.TotalSeconds);
        }

        await gate.CancelAsync().ConfigureAwait(false);
        await engine.DisposeAsync().ConfigureAwait(false);
        await leases.DrainAsync().ConfigureAwait(false);
    }

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        await audit.StopAsync().ConfigureAwait(false);
        logger.Stopped();
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task CleanUpAsync()
    {
        try
        {
            foreach (string what in await engine.CleanUpAsync().ConfigureAwait(false))
            {
                logger.CleanedUp(AgentLog.Escape(what));
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CaptureException)
        {
            logger.CleanUpFailed(failure);
        }
    }
}
