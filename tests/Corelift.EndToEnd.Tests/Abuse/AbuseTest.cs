using Corelift.Testing.Http2;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests.Abuse;

/// <summary>
/// An agent with both of its doors, and what has to hold while somebody abuses one of them: it goes on answering others, stops no
/// target for longer than was asked for, and its own memory stays within 64 MiB of what it was.
/// </summary>
public abstract class AbuseTest : IAsyncLifetime
{
    /// <summary>What abuse may cost in memory, whatever its extent.</summary>
    protected const long MemoryBudgetBytes = 64L << 20;

    private const double LeaseSeconds = 1;
    private const double StopBoundSeconds = 4; // the machine may be busy with the abuse itself
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>The doors.</summary>
    public static TheoryData<string> Doors => ["unix", "tls"];

    /// <summary>The agent.</summary>
    protected TlsAgent Server { get; private set; } = null!;

    /// <summary>Arguments beside those of the doors.</summary>
    protected virtual string[] Arguments => [];

    /// <inheritdoc/>
    public async Task InitializeAsync() => Server = await TlsAgent.StartAsync(["--allow-authenticated", .. Arguments]);

    /// <inheritdoc/>
    public async Task DisposeAsync()
    {
        try
        {
            await Server.Agent.AssertNoWorkersAsync();
            Server.Agent.AssertCleanLog();
        }
        finally
        {
            await Server.DisposeAsync();
        }
    }

    /// <summary>A connection that says nothing yet.</summary>
    protected Task<RawHttp2> ConnectAsync(string door) =>
        door == "unix" ? RawHttp2.ConnectUnixAsync(Server.Agent.SocketPath) : RawHttp2.ConnectTlsAsync(Server.Port, Server.Ca.IssueClient(), Server.Ca);

    /// <summary>A connection that has begun as a client does.</summary>
    protected async Task<RawHttp2> BeginAsync(string door, int initialWindow = 65535)
    {
        RawHttp2 connection = await ConnectAsync(door);
        await connection.BeginAsync(initialWindow);
        return connection;
    }

    /// <summary>Runs the abuse beside a client that behaves, and a target that is stopped and left alone.</summary>
    protected async Task WithstandAsync(Func<Task> abuse)
    {
        using LiveProcess stopped = LiveProcess.Start("spinner"), other = LiveProcess.Start("canary", "--threads", "2");
        using GrpcChannel channel = Server.Agent.Connect();
        await AnswersAsync(channel, other); // what is made once
        long idle = Anonymous();
        await stopped.AskAsync("reset");
        _ = await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)stopped.Pid, StartTimeTicks = stopped.StartTime },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(LeaseSeconds)),
        });

        Task under = abuse();
        long peak = 0;
        int answers = 0;
        do
        {
            await AnswersAsync(channel, other);
            answers++;
            peak = Math.Max(peak, Anonymous());
        }
        while (!under.IsCompleted);

        await under;
        await Wait.UntilAsync(() => stopped.Status("TracerPid") == "0", s_patience, "the lease ran out");
        long gap = await stopped.AskNumberAsync("gap", "gap_us");
        Assert.InRange(gap, 0, (LeaseSeconds + StopBoundSeconds) * 1e6);
        Assert.InRange(peak - idle, long.MinValue, MemoryBudgetBytes);
        Assert.True(answers > 0);
        await CapturesAsync(channel, other);
        await stopped.CheckAsync();
    }

    /// <summary>A call of a client that behaves is answered.</summary>
    protected static async Task AnswersAsync(GrpcChannel channel, LiveProcess target)
    {
        GetProcessRequest request = new() { Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime } };
        Process answer = (await new ProcessService.ProcessServiceClient(channel).GetProcessAsync(request, deadline: DateTime.UtcNow + s_patience)).Process;
        Assert.Equal((uint)target.Pid, answer.Summary.Ref.Pid);
    }

    /// <summary>A capture by a client that behaves is whole, and harms nobody.</summary>
    protected static async Task CapturesAsync(GrpcChannel channel, LiveProcess target)
    {
        CaptureStream capture = await CaptureStream.ReadAsync(channel, CaptureStream.Request(target, Strategy.Fork));
        Assert.NotNull(capture.Trailer);
        await target.CheckAsync();
    }

    /// <summary>Memory of its own that the process which serves has now.</summary>
    protected long Anonymous() => Proc.StatusBytes(Server.Agent.FrontEndPid, "RssAnon");
}
