using Grpc.Net.Client;

namespace Corelift.Torture;

/// <summary>An agent, with a folder for its journals that outlives it.</summary>
internal sealed class TorturedAgent : IAsyncDisposable
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(10);

    private TorturedAgent(AgentProcess process)
    {
        Process = process;
        FrontEnd = process.FrontEndPid;
        Channel = process.Connect();
        Points = new Killpoints(process.ProgramPath);
    }

    internal AgentProcess Process { get; }

    internal int FrontEnd { get; }

    internal int Supervisor => Process.Pid;

    /// <summary>A connection that cases share.</summary>
    internal GrpcChannel Channel { get; }

    internal Killpoints Points { get; }

    /// <summary>Workers that live now.</summary>
    internal int[] Workers => [.. Proc.OwnChildren(Supervisor).Where(pid => pid != FrontEnd)];

    /// <summary>Starts one. It has cleaned up after the one before when it serves.</summary>
    internal static async Task<TorturedAgent> StartAsync(string stateDirectory) =>
        new(await AgentProcess.StartAsync(new AgentOptions { Arguments = ["--state-directory", stateDirectory] }));

    /// <summary>Waits for the end of all workers.</summary>
    internal Task AssertIdleAsync() => Wait.UntilAsync(() => Workers.Length == 0, s_bound, $"no worker left; the agent said:\n{Process.Log}");

    /// <summary>Waits for the end of every process of it, after some were killed.</summary>
    internal Task AssertEndedAsync(int[] workers) => Wait.UntilAsync(
        () => Process.HasExited && Proc.State(FrontEnd) is "-" or "Z" && workers.All(worker => Proc.State(worker) is "-" or "Z"),
        s_bound,
        $"the end of every process of the agent; it said:\n{Process.Log}");

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await Process.DisposeAsync();
    }
}
