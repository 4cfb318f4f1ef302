using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>
/// A test with an agent of its own. Afterwards the agent must have no worker left, and must have logged no error but those
/// that the test announced.
/// </summary>
public abstract class AgentTest : IAsyncLifetime
{
    /// <summary>The strategies that every promise is kept by.</summary>
    public static TheoryData<string> Strategies => ["fork", "direct", "precopy"];

    /// <summary>The agent; set before the test runs.</summary>
    protected AgentProcess Agent { get; private set; } = null!;

    /// <summary>Where the test puts its cores.</summary>
    protected ScratchFolder Scratch { get; } = new();

    /// <summary>How the agent is started.</summary>
    protected virtual AgentOptions Options => new();

    /// <summary>A pattern for log lines of level error that this test is about.</summary>
    protected string? ExpectedErrors { get; set; }

    /// <summary>Path for a core.</summary>
    protected string CorePath => Scratch.File("target.core");

    /// <inheritdoc/>
    public async Task InitializeAsync() => Agent = await AgentProcess.StartAsync(Options);

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        try
        {
            if (!Agent.HasExited)
            {
                await Agent.AssertNoWorkersAsync();
            }

            Agent.AssertCleanLog(ExpectedErrors);
        }
        finally
        {
            await Agent.DisposeAsync();
            Scratch.Dispose();
        }
    }

    /// <summary>Stops a target under a lease.</summary>
    protected static async Task<StopResponse> StopAsync(GrpcChannel channel, LiveProcess target, double seconds, bool resumeOnDisconnect = false) =>
        await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds)),
            ResumeOnDisconnect = resumeOnDisconnect,
        });

    /// <summary>A snapshot by the CLI, to <see cref="CorePath"/>.</summary>
    protected Task<SnapshotReport> SnapshotAsync(LiveProcess target, string strategy, string content = "default", params string[] more) =>
        Cli.SnapshotAsync(Agent, target.Pid, CorePath, strategy, content, more);

    /// <summary>Captures, and proves that the target is as it was and its own check is content.</summary>
    protected async Task<SnapshotReport> SnapshotUnharmedAsync(LiveProcess target, string strategy, string content = "default")
    {
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        SnapshotReport report = await SnapshotAsync(target, strategy, content);
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
        return report;
    }
}
