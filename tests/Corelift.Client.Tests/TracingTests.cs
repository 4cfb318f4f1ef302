using System.Collections.Concurrent;
using System.Diagnostics;
using Corelift.Client.Tests.Scripted;
using Corelift.V1;
using Grpc.Core;

namespace Corelift.Client.Tests;

/// <summary>The spans of a snapshot, and which trace an agent is told.</summary>
public sealed class TracingTests
{
    private const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    private static readonly SnapshotRequest s_request = new() { Target = new ProcessRef { Pid = SyntheticCapture.Pid } };

    [Fact]
    public async Task A_snapshot_is_a_span_of_three_parts_and_the_agent_is_told_of_it()
    {
        ConcurrentQueue<Activity> ended = []; // a listener hears the spans of all tests, on their threads
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name == ClientTraces.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        await using CoreliftClient client = agent.Connect();
        using Activity outer = new Activity("test").Start();
        Told header = Listen(agent);

        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")));

        Activity[] own = [.. ended.Where(span => span.TraceId == outer.TraceId)];
        Activity snapshot = Assert.Single(own, span => span.DisplayName == "corelift.v1.SnapshotService/Capture");
        Assert.Equal((outer.SpanId, ActivityKind.Client, "complete"), (snapshot.ParentSpanId, snapshot.Kind, snapshot.GetTagItem("corelift.outcome")));
        Assert.Equal(
            ["corelift.connect", "corelift.receive", "corelift.finish"],
            own.Where(span => span.ParentSpanId == snapshot.SpanId).OrderBy(span => span.StartTimeUtc).Select(span => span.DisplayName));
        Assert.Equal(snapshot.Id, header.Value);
    }

    [Theory]
    [InlineData(Parent, Parent)]
    [InlineData("nonsense", null)]
    [InlineData(null, null)]
    public async Task Without_a_span_the_agent_is_told_the_trace_of_the_options(string? given, string? expected)
    {
        Activity.Current = null;
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        Told header = Listen(agent);
        await using CoreliftClient client = CoreliftClient.Connect(AgentAddress.Parse("unix:" + agent.File("agent.sock")), new CoreliftClientOptions { TraceParent = given, TraceState = "a=b" });
        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")));
        Assert.Equal((expected, expected is null ? null : "a=b"), (header.Value, header.State));
    }

    private static Told Listen(ScriptedAgent agent)
    {
        Told told = new();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory(Compression.None).Messages());
        Func<CaptureRequest, IServerStreamWriter<CaptureResponse>, ServerCallContext, Task> answer = agent.Script.Capture;
        agent.Script.Capture = (request, writer, context) =>
        {
            (told.Value, told.State) = (context.RequestHeaders.GetValue("traceparent"), context.RequestHeaders.GetValue("tracestate"));
            return answer(request, writer, context);
        };
        return told;
    }

    private sealed class Told
    {
        internal string? Value { get; set; }

        internal string? State { get; set; }
    }
}
