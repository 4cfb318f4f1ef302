using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using YamlDotNet.RepresentationModel;

namespace Corelift.EndToEnd.Tests.Telemetry;

/// <summary>The port for Prometheus and probes, and what the chart's dashboard and alerts say of it.</summary>
public sealed partial class MetricsPortTests : AgentTest
{
    private static readonly HttpClient s_http = new();
    private readonly int _port = FreePort();

    protected override AgentOptions Options => new() { Arguments = ["--metrics-listen", $"http://127.0.0.1:{_port}"] };

    [Fact]
    public async Task Refusals_are_counted_by_their_reason()
    {
        using GrpcChannel channel = Agent.Connect();
        SnapshotService.SnapshotServiceClient snapshots = new(channel);
        for (int i = 0; i < 3; i++)
        {
            await RpcAssert.FailsWithReasonAsync(
                async () => await snapshots.PlanAsync(new PlanRequest { Ref = new ProcessRef { Pid = 4_194_304 } }), StatusCode.NotFound, "NO_SUCH_PROCESS");
        }

        await RpcAssert.FailsWithReasonAsync(async () => await snapshots.PlanAsync(new PlanRequest()), StatusCode.InvalidArgument, "INVALID_FIELD");
        string text = await GetAsync("/metrics");
        Assert.Equal(3, Value(text, "corelift_refusals_total", "corelift_reason=\"NO_SUCH_PROCESS\""));
        Assert.Equal(1, Value(text, "corelift_refusals_total", "corelift_reason=\"INVALID_FIELD\""));
        Assert.Equal(0, Value(text, "corelift_audit_failures_total", ""));
        Assert.Equal(1, Value(text, "corelift_agent_ready", ""));
    }

    [Fact]
    public async Task A_lease_shows_while_it_lasts_and_is_measured_when_it_ends()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await control.StopAsync(new StopRequest { Ref = new ProcessRef { Pid = (uint)target.Pid }, TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(20)) });
        Assert.Equal(1, Value(await GetAsync("/metrics"), "corelift_stop_active", ""));
        ResumeResponse resumed = await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await Wait.UntilAsync(async () => (await GetAsync("/metrics")).Contains("corelift_stop_duration_seconds_count", StringComparison.Ordinal), Wait.Soon, () => "a lease measured");
        string text = await GetAsync("/metrics");
        Assert.Equal((0, 1), (Value(text, "corelift_stop_active", ""), Value(text, "corelift_stop_duration_seconds_count", "")));
        Assert.Equal(resumed.StoppedFor.ToTimeSpan().TotalSeconds, Value(text, "corelift_stop_duration_seconds_sum", ""), 4);
        Assert.Equal(Value(text, "corelift_stop_duration_seconds_sum", ""), Value(text, "corelift_target_stopped_seconds_total", "corelift_cause=\"lease\""), 6);
        await target.CheckAsync();
    }

    [Fact]
    public async Task The_port_serves_its_three_paths_and_nothing_else()
    {
        Assert.Contains("# TYPE corelift_agent_ready gauge", await GetAsync("/metrics"), StringComparison.Ordinal);
        Assert.Equal("ok\n", await GetAsync("/livez"));
        Assert.Equal("ok\n", await GetAsync("/readyz"));
        foreach (string path in (string[])["/", "/metrics/x", "/corelift.v1.ProcessService/ListProcesses", "/grpc.health.v1.Health/Check", "/livez/"])
        {
            using HttpResponseMessage answer = await s_http.GetAsync(Url(path));
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        using HttpResponseMessage posted = await s_http.PostAsync(Url("/metrics"), new StringContent("x"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);

        // gRPC finds no agent there: the port does not speak HTTP/2.
        using GrpcChannel channel = GrpcChannel.ForAddress($"http://127.0.0.1:{_port}");
        await Assert.ThrowsAsync<RpcException>(async () => await new ProcessService.ProcessServiceClient(channel).ListProcessesAsync(new ListProcessesRequest()));

        // And the agent's socket serves no metrics.
        using GrpcChannel agent = Agent.Connect();
        Method<ListProcessesRequest, ListProcessesResponse> metrics = new(
            MethodType.Unary, "", "metrics", Marshallers.Create(_ => Array.Empty<byte>(), _ => new ListProcessesRequest()), Marshallers.Create(_ => Array.Empty<byte>(), _ => new ListProcessesResponse()));
        await Assert.ThrowsAsync<RpcException>(async () => await agent.CreateCallInvoker().AsyncUnaryCall(metrics, null, default, new ListProcessesRequest()));
    }

    [Fact]
    public async Task Every_metric_of_the_dashboard_and_the_alerts_is_one_that_an_agent_exports()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        await SnapshotAsync(target, "precopy");
        using GrpcChannel channel = Agent.Connect();
        await Assert.ThrowsAsync<RpcException>(async () => await new SnapshotService.SnapshotServiceClient(channel).PlanAsync(new PlanRequest()));
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await control.StopAsync(new StopRequest { Ref = new ProcessRef { Pid = (uint)target.Pid } });
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await Wait.UntilAsync(async () => (await GetAsync("/metrics")).Contains("corelift_stop_duration_seconds_count", StringComparison.Ordinal), Wait.Soon, () => "a lease measured");

        HashSet<string> exported = [.. Sample().Matches(await GetAsync("/metrics")).Select(match => match.Groups[1].Value), "up"];
        string[] expressions = [.. DashboardExpressions(), .. AlertExpressions()];
        Assert.InRange(expressions.Length, 25, 200);
        string[] named = [.. expressions.SelectMany(expression => MetricName().Matches(expression)).Select(match => match.Value).Distinct()];
        Assert.InRange(named.Length, 12, 100);
        Assert.Empty(named.Except(exported));

        // And the other way round: what is exported under our name is looked at somewhere.
        string[] families = [.. exported.Where(name => name.StartsWith("corelift_", StringComparison.Ordinal)).Select(name => Suffix().Replace(name, "")).Distinct()];
        Assert.All(families, family => Assert.Contains(named, name => name.StartsWith(family, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Without_its_program_the_agent_lives_and_is_not_ready_until_it_is_back()
    {
        string aside = Agent.ProgramPath + ".aside";
        File.Move(Agent.ProgramPath, aside);
        using (HttpResponseMessage answer = await s_http.GetAsync(Url("/readyz")))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.Contains("no worker can be started", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Equal("ok\n", await GetAsync("/livez"));
        Assert.Equal(0, Value(await GetAsync("/metrics"), "corelift_agent_ready", ""));
        File.Move(aside, Agent.ProgramPath);
        Assert.Equal("ok\n", await GetAsync("/readyz"));
    }

    private static IEnumerable<string> DashboardExpressions()
    {
        using JsonDocument dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Artifacts.Root, "helm/corelift/dashboards/corelift.json")));
        return [.. dashboard.RootElement.GetProperty("panels").EnumerateArray().SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
            .Select(target => target.GetProperty("expr").GetString()!)];
    }

    private static IEnumerable<string> AlertExpressions()
    {
        using StreamReader reader = File.OpenText(Path.Combine(Artifacts.Root, "helm/corelift/alerts/corelift.rules.yaml"));
        YamlStream yaml = [];
        yaml.Load(reader);
        YamlNode groups = yaml.Documents.Single().RootNode["groups"];
        YamlNode[] rules = [.. ((YamlSequenceNode)groups).SelectMany(group => (YamlSequenceNode)group["rules"])];
        Assert.All(rules, rule => Assert.NotEmpty(((YamlMappingNode)rule["annotations"])["summary"].ToString()));
        return [.. rules.Select(rule => rule["expr"].ToString())];
    }

    private static double Value(string text, string metric, string labels)
    {
        string? line = text.Split('\n').FirstOrDefault(line => Regex.IsMatch(line, $"^{metric}[{{ ]") && line.Contains(labels, StringComparison.Ordinal));
        Assert.True(line is not null, $"no {metric} with {labels} in\n{text}");
        return double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[line.Contains('}', StringComparison.Ordinal) ? 0 : 1], CultureInfo.InvariantCulture);
    }

    private static int FreePort()
    {
        using System.Net.Sockets.TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private Uri Url(string path) => new($"http://127.0.0.1:{_port}{path}");

    private async Task<string> GetAsync(string path) => await s_http.GetStringAsync(Url(path));

    [GeneratedRegex(@"^([a-z_]+)[{ ]", RegexOptions.Multiline)]
    private static partial Regex Sample();

    [GeneratedRegex(@"\b(up|(corelift|process|rpc|http)_[a-z_]+)\b(?=\{|\[| ==)")]
    private static partial Regex MetricName();

    [GeneratedRegex("_(bucket|sum|count|total)$")]
    private static partial Regex Suffix();
}
