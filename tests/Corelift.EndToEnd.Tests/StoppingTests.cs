using System.Net;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Status = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace Corelift.EndToEnd.Tests;

/// <summary>An agent that is told to stop: not ready at once, nobody held, captures with a grace; and without telemetry no port.</summary>
public sealed class StoppingTests
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(20);
    private static readonly HttpClient s_http = new();

    private ScratchFolder Scratch { get; } = new();

    [Fact]
    public async Task A_capture_may_end_in_its_grace_while_nothing_new_is_taken_and_nobody_is_held()
    {
        int port = FreePort();
        await using AgentProcess agent = await AgentProcess.StartAsync(new AgentOptions { Arguments = ["--metrics-listen", $"http://127.0.0.1:{port}", "--stop-grace", "25s"] });
        using LiveProcess captured = LiveProcess.Start("canary", "--threads", "2", "--mib", "24");
        using LiveProcess held = LiveProcess.Start("canary", "--threads", "2");
        using GrpcChannel channel = agent.Connect();
        await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest { Ref = new ProcessRef { Pid = (uint)held.Pid }, TimeToLive = Duration.FromTimeSpan(s_bound) });
        string core = Scratch.File("slow.core");
        Task<CommandResult> slow = Cli.RunAsync(agent, "snapshot", $"{captured.Pid}", "-o", core, "--strategy", "fork", "--rate-limit", "10MiB", "--json");
        await Wait.UntilAsync(() => agent.Log.Contains("taken by Fork", StringComparison.Ordinal), s_bound, "the capture's instant");
        Health.HealthClient health = new(channel);
        Assert.Equal((Status.Serving, Status.Serving, Status.Serving), (await AskAsync(health, ""), await AskAsync(health, "readiness"), await AskAsync(health, "liveness")));

        agent.BeginStop();
        await Wait.UntilAsync(async () => (await ReadyAsync(port)).StatusCode == HttpStatusCode.ServiceUnavailable, s_bound, () => "not ready");
        Assert.Equal((Status.NotServing, Status.NotServing, Status.Serving), (await AskAsync(health, ""), await AskAsync(health, "readiness"), await AskAsync(health, "liveness")));
        using (HttpResponseMessage alive = await s_http.GetAsync(new Uri($"http://127.0.0.1:{port}/livez")))
        {
            Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        }

        await RpcAssert.FailsWithReasonAsync(
            async () => await new SnapshotService.SnapshotServiceClient(channel).PlanAsync(new PlanRequest { Ref = new ProcessRef { Pid = (uint)held.Pid } }),
            StatusCode.Unavailable, "SHUTTING_DOWN");
        await Wait.UntilAsync(() => Proc.Status(held.Pid, "TracerPid") == "0", Wait.Soon, "the held target runs");
        Assert.False(slow.IsCompleted, "the capture goes on in its grace");

        (await slow).Checked();
        using (CoreImage image = new(core))
        {
            image.AssertHolds(captured.Range("private"));
        }

        long began = Environment.TickCount64;
        Assert.Equal(0, await agent.StopAsync());
        Assert.InRange(Environment.TickCount64 - began, 0, Wait.Soon.TotalMilliseconds); // it does not wait for the rest of the grace
        await captured.CheckAsync();
        await held.CheckAsync();
        agent.AssertCleanLog();
        Scratch.Dispose();
    }

    [Fact]
    public async Task A_capture_that_outlasts_its_grace_is_ended_and_its_target_is_whole()
    {
        await using AgentProcess agent = await AgentProcess.StartAsync(new AgentOptions { Arguments = ["--stop-grace", "500ms"] });
        using LiveProcess captured = LiveProcess.Start("canary", "--threads", "2", "--mib", "64");
        TargetBaseline before = TargetBaseline.Take(captured.Pid);
        Task<CommandResult> slow = Cli.RunAsync(agent, "snapshot", $"{captured.Pid}", "-o", Scratch.File("slow.core"), "--strategy", "fork", "--rate-limit", "4MiB");
        await Wait.UntilAsync(() => agent.Log.Contains("taken by Fork", StringComparison.Ordinal), s_bound, "the capture's instant");
        long began = Environment.TickCount64;
        Assert.Equal(0, await agent.StopAsync());
        Assert.InRange(Environment.TickCount64 - began, 400, Wait.Soon.TotalMilliseconds);
        CommandResult result = await slow;
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("the agent is stopping", result.Errors, StringComparison.Ordinal);
        Assert.Empty(Scratch.Names);
        Assert.Contains("did not end within the grace", agent.Log, StringComparison.Ordinal);
        await before.AssertUnchangedAsync();
        await captured.CheckAsync();
        Scratch.Dispose();
    }

    [Fact]
    public async Task Without_telemetry_there_is_no_port_and_no_exporter()
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        string[] sockets = [.. Directory.EnumerateFiles($"/proc/{agent.Pid}/fd").Select(path => new FileInfo(path).LinkTarget ?? "").Where(link => link.StartsWith("socket:[", StringComparison.Ordinal))];
        string[] inodes = [.. sockets.Select(link => link["socket:[".Length..].TrimEnd(']'))];
        Assert.NotEmpty(inodes);
        foreach (string table in (string[])["tcp", "tcp6", "udp", "udp6"])
        {
            Assert.DoesNotContain(File.ReadLines($"/proc/{agent.Pid}/net/{table}").Skip(1), line => inodes.Contains(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[9]));
        }

        // The SDK's threads are those of its batch exporters and its metric reader.
        Assert.DoesNotContain(Proc.Tasks(agent.Pid).Select(tid => Proc.Status(agent.Pid, "Name", tid)), name => name!.StartsWith("OpenTelemetry", StringComparison.Ordinal));
        Scratch.Dispose();
    }

    private static int FreePort()
    {
        using System.Net.Sockets.TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static Task<HttpResponseMessage> ReadyAsync(int port) => s_http.GetAsync(new Uri($"http://127.0.0.1:{port}/readyz"));

    private static async Task<Status> AskAsync(Health.HealthClient health, string service) =>
        (await health.CheckAsync(new HealthCheckRequest { Service = service })).Status;
}
