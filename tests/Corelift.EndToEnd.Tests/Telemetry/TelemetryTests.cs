using System.Text.Json;

namespace Corelift.EndToEnd.Tests.Telemetry;

/// <summary>A real agent with a collector: one trace from the client on, measurements that equal the client's report, logs.</summary>
public sealed class TelemetryTests : IAsyncLifetime
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(20);
    private static readonly Dictionary<string, string> s_often = new()
    {
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "300",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
        ["OTEL_BLRP_SCHEDULE_DELAY"] = "200",
        ["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=test",
        ["POD_NAME"] = "corelift-abcde",
    };

    private ScratchFolder Scratch { get; } = new();

    private OtlpCollector _collector = null!;

    public async Task InitializeAsync() => _collector = await OtlpCollector.StartAsync();

    public async Task DisposeAsync()
    {
        await _collector.DisposeAsync();
        Scratch.Dispose();
    }

    [Theory]
    [InlineData("grpc", "precopy")]
    [InlineData("http", "fork")]
    [InlineData("http", "direct")]
    public async Task A_trace_goes_from_the_client_to_the_phases_of_the_worker(string protocol, string strategy)
    {
        await using AgentProcess agent = await StartAsync(protocol);
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "3", "--mib", "16");
        (string header, string traceId, string parentId) = TraceParent.Create();
        JsonElement report = await SnapshotAsync(agent, target, strategy, header);

        OtlpSpan call = await SpanAsync(span => span.Name == "corelift.v1.SnapshotService/Capture" && span.TraceId == traceId);
        Assert.Equal((parentId, 2), (call.ParentId, call.Kind)); // SPAN_KIND_SERVER
        Assert.Equal(
            ("grpc", "corelift.v1.SnapshotService/Capture", "OK", $"{target.Pid}", strategy, "default", "complete", "4"),
            (call.Attributes["rpc.system.name"], call.Attributes["rpc.method"], call.Attributes["rpc.response.status_code"], call.Attributes["process.pid"],
                call.Attributes["corelift.strategy"], call.Attributes["corelift.content"], call.Attributes["corelift.outcome"], call.Attributes["corelift.threads"]));
        Assert.Equal(report.GetProperty("bytes_received").GetInt64(), long.Parse(call.Attributes["corelift.memory.bytes"], System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(("corelift-agent", "test", "corelift-abcde"), (call.Resource["service.name"], call.Resource["deployment.environment.name"], call.Resource["k8s.pod.name"]));
        Assert.All(["service.version", "service.instance.id", "host.name"], (string name) => Assert.NotEmpty(call.Resource[name]));

        OtlpSpan pause = await SpanAsync(span => span.Name == "corelift.pause" && span.TraceId == traceId);
        Assert.Equal(call.SpanId, pause.ParentId);
        Assert.InRange((pause.End - pause.Start) / 1000.0, report.GetProperty("pause_us").GetInt64() - 2, report.GetProperty("pause_us").GetInt64() + 2);
        await SpanAsync(span => span.Name == "corelift.pause.resume" && span.TraceId == traceId);
        OtlpSpan[] all = [.. _collector.Spans.Where(span => span.TraceId == traceId)];
        string[] phases = [.. all.Where(span => span.ParentId == pause.SpanId).OrderBy(span => span.Start).Select(span => span.Name)];
        string[] said = [.. report.GetProperty("phases").EnumerateArray().Select(phase => "corelift.pause." + phase.GetProperty("name").GetString())];
        Assert.Equal(said, phases);
        Assert.All(all.Where(span => span.ParentId == pause.SpanId), span => Assert.InRange(span.End, pause.Start, pause.End + 1000));
        Assert.Equal(strategy == "precopy" ? report.GetProperty("rounds").GetArrayLength() : 0, all.Count(span => span.Name == "corelift.round" && span.ParentId == call.SpanId));
        Assert.Equal(strategy == "precopy" ? 1 : 0, all.Count(span => span.Name == "corelift.setup"));
        Assert.All(["corelift.prepare", "corelift.send"], (string name) => Assert.Single(all, span => span.Name == name && span.ParentId == call.SpanId));
        agent.AssertCleanLog();
    }

    [Fact]
    public async Task Measurements_equal_the_report_of_the_client_and_lead_to_the_trace()
    {
        await using AgentProcess agent = await StartAsync("grpc");
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "3", "--mib", "16");
        (string header, string traceId, _) = TraceParent.Create();
        JsonElement report = await SnapshotAsync(agent, target, "precopy", header);

        OtlpPoint pause = await PointAsync("corelift.snapshot.pause");
        Assert.Equal(("s", 1UL, "precopy", "default"), (pause.Unit, pause.Count, pause.Attributes["corelift.strategy"], pause.Attributes["corelift.content"]));
        Assert.Equal(report.GetProperty("pause_us").GetInt64(), pause.Value * 1e6, 1.0);
        Assert.Equal((0.0001, 30), (pause.Bounds[0], pause.Bounds[^1]));
        Assert.Contains(pause.Exemplars, exemplar => exemplar.TraceId == traceId);
        Assert.Equal(report.GetProperty("skew_us").GetInt64(), (await PointAsync("corelift.snapshot.skew")).Value * 1e6, 1.0);
        OtlpPoint memory = await PointAsync("corelift.snapshot.memory");
        Assert.Equal(("By", report.GetProperty("bytes_received").GetInt64()), (memory.Unit, (long)memory.Value));
        Assert.Equal(report.GetProperty("rounds").GetArrayLength(), (await PointAsync("corelift.snapshot.rounds")).Value);
        OtlpPoint duration = await PointAsync("corelift.snapshot.duration");
        Assert.Equal("complete", duration.Attributes["corelift.outcome"]);
        Assert.InRange(duration.Value, pause.Value, report.GetProperty("elapsed_ms").GetInt64() / 1000.0 + 0.5);
        Assert.Equal(pause.Value, (await PointAsync("corelift.target.stopped")).Value, 6);
        Assert.Equal(0, (await PointAsync("corelift.snapshot.active")).Value);
        Assert.Equal("OK", (await PointAsync("rpc.server.call.duration", point => point.Attributes["rpc.method"].EndsWith("/Capture", StringComparison.Ordinal))).Attributes["rpc.response.status_code"]);
    }

    [Fact]
    public async Task Log_lines_go_out_with_their_trace_and_nothing_holds_a_command_line()
    {
        const string Secret = "hunter2-of-the-command-line";
        await using AgentProcess agent = await StartAsync("grpc");
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "1", "--secret", Secret);
        (string header, string traceId, _) = TraceParent.Create();
        await SnapshotAsync(agent, target, "fork", header);
        await Wait.UntilAsync(() => _collector.Logs.Any(log => log.TraceId == traceId && log.Body.Contains("bytes served", StringComparison.Ordinal)), s_bound, "the log line of the capture");
        await SpanAsync(span => span.TraceId == traceId && span.Name == "corelift.pause");
        Assert.Equal(0, await agent.StopAsync());

        Assert.Contains(_collector.Logs, log => log.Body.Contains("nobody is held", StringComparison.Ordinal)); // the last line, too
        Assert.DoesNotContain(_collector.Spans.SelectMany(span => span.Attributes.Values), value => value.Contains(Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(_collector.Logs, log => log.Body.Contains(Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(_collector.Points.SelectMany(point => point.Attributes.Values), value => value.Contains(Secret, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("hangs")]
    [InlineData("absent")]
    public async Task A_collector_that_hangs_or_is_not_there_costs_nothing_that_anybody_sees(string how)
    {
        await using OtlpCollector hanging = await OtlpCollector.StartAsync(hangs: true);
        string address = how == "hangs" ? hanging.GrpcAddress : "http://127.0.0.1:9"; // discard: nobody listens
        await using AgentProcess agent = await AgentProcess.StartAsync(new AgentOptions { Arguments = ["--otlp-endpoint", address], Environment = s_often });
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "3");
        for (int i = 0; i < 5; i++)
        {
            CommandResult result = (await Cli.RunAsync(agent, "snapshot", $"{target.Pid}", "-o", Scratch.File($"{i}.core"), "--json")).Checked();
            Assert.InRange(result.Elapsed, TimeSpan.Zero, Wait.Soon);
        }

        await Wait.UntilAsync(() => how == "absent" || hanging.Requests > 0, s_bound, "a request that hangs");
        long began = Environment.TickCount64;
        Assert.Equal(0, await agent.StopAsync());
        Assert.InRange(Environment.TickCount64 - began, 0, Wait.Soon.TotalMilliseconds);
        agent.AssertCleanLog();
    }

    private async Task<AgentProcess> StartAsync(string protocol) => await AgentProcess.StartAsync(new AgentOptions
    {
        Arguments = ["--otlp-endpoint", protocol == "grpc" ? _collector.GrpcAddress : _collector.HttpAddress, "--otlp-protocol", protocol],
        Environment = s_often,
    });

    private async Task<JsonElement> SnapshotAsync(AgentProcess agent, LiveProcess target, string strategy, string traceParent)
    {
        CommandResult result = await Cli.RunAsync(
            agent.Address, new Dictionary<string, string> { ["TRACEPARENT"] = traceParent },
            "snapshot", $"{target.Pid}", "-o", Scratch.File("x.core"), "--strategy", strategy, "--json");
        return JsonDocument.Parse(result.Checked().Output).RootElement;
    }

    private async Task<OtlpSpan> SpanAsync(Func<OtlpSpan, bool> which)
    {
        await Wait.UntilAsync(() => Task.FromResult(_collector.Spans.Any(which)), s_bound, () => "span among " + string.Join(", ", _collector.Spans.Select(span => span.Name)));
        return _collector.Spans.First(which);
    }

    private async Task<OtlpPoint> PointAsync(string metric, Func<OtlpPoint, bool>? which = null)
    {
        bool IsMeant(OtlpPoint point) => point.Metric == metric && (which is null || which(point));
        await Wait.UntilAsync(
            () => Task.FromResult(_collector.Points.Any(IsMeant)), s_bound, () => metric + " among " + string.Join(", ", _collector.Points.Select(point => point.Metric)));
        return Assert.Single(_collector.Points, IsMeant);
    }
}
