using Corelift.Agent.Services;
using Corelift.Capture;
using Corelift.Fuzz.Engine;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Wire = Corelift.V1;

namespace Corelift.Fuzz.Targets;

/// <summary>What a client asks for: the checks of every kind of request, before anything is looked at.</summary>
internal sealed class RequestTarget : IFuzzTarget
{
    private static readonly CaptureEngineOptions s_budgets = new();

    public static string Name => "request";

    public static int MostBytes => 4096;

    public static IReadOnlyList<string> Words => ["age1", "*", "../..", "\0", "\u001b[31m"];

    public static IEnumerable<byte[]> Seeds =>
    [
        [0, .. new Wire.CaptureRequest { Ref = new Wire.ProcessRef { Pid = 1, StartTimeTicks = 2 }, Options = Options(), Reason = "r", LeaseId = "l" }.ToByteArray()],
        [1, .. new StopRequest { Ref = new Wire.ProcessRef { Pid = 1 }, TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)), StopBudget = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) }.ToByteArray()],
        [2, .. new ListProcessesRequest { Pids = { 1, 2 }, Name = "x", Uid = 1, ContainerId = "0123456789ab", PageSize = 5, PageToken = PageToken.Write(PageKind.Processes, 7) }.ToByteArray()],
        [3, .. new ReadMemoryRequest { LeaseId = "l", Ranges = { new AddressRange { Start = 1, End = 8192 }, new AddressRange { Start = 4096, End = ulong.MaxValue } } }.ToByteArray()],
        [4, .. new KeepAliveRequest { LeaseId = "l", TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) }.ToByteArray()],
    ];

    public static byte[]? Mutate(byte[] input, Random random)
    {
        if (input.Length == 0 || Parse(input) is not { } message)
        {
            return null;
        }

        MessageMutation.Change(message, random);
        return [input[0], .. message.ToByteArray()];
    }

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty || Parse(input.ToArray()) is not { } message)
        {
            return;
        }

        try
        {
            Check(message);
        }
        catch (RpcException failure) when (failure.StatusCode is StatusCode.InvalidArgument or StatusCode.FailedPrecondition)
        {
            // What is documented.
        }
    }

    private static CaptureOptions Options() => new() { Strategy = Wire.Strategy.Fork, StopBudget = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)), Compression = Compression.Zstd, Recipients = { "age1x" }, RateLimitBytesPerSecond = 1 };

    private static IMessage? Parse(byte[] input)
    {
        MessageParser[] parsers = [Wire.CaptureRequest.Parser, StopRequest.Parser, ListProcessesRequest.Parser, ReadMemoryRequest.Parser, KeepAliveRequest.Parser];
        try
        {
            return parsers[input[0] % parsers.Length].ParseFrom(input, 1, input.Length - 1);
        }
        catch (InvalidProtocolBufferException)
        {
            return null; // gRPC's own answer
        }
    }

    private static void Check(IMessage message)
    {
        switch (message)
        {
            case Wire.CaptureRequest capture:
                _ = RequestLimits.ToTarget(capture.Ref);
                Capture.CaptureRequest request = RequestLimits.ToRequest(capture.Options, s_budgets);
                _ = RequestLimits.ToCompression(capture.Options);
                Within(request.StopBudget, s_budgets.MaxStopBudget);
                break;
            case StopRequest stop:
                _ = RequestLimits.ToTarget(stop.Ref);
                Within(RequestLimits.ToStopBudget(stop.StopBudget, s_budgets, "stop_budget"), s_budgets.MaxStopBudget);
                Within(RequestLimits.ToLease(stop.TimeToLive, s_budgets, TimeSpan.FromSeconds(1)), s_budgets.MaxLease);
                break;
            case ListProcessesRequest list:
                _ = new ProcessFilter(list).NamesPids;
                _ = PageToken.Read(PageKind.Processes, list.PageToken);
                _ = PageToken.Size(list.PageSize, 10, 100);
                break;
            case KeepAliveRequest keep:
                Within(RequestLimits.ToLease(keep.TimeToLive, s_budgets, TimeSpan.FromSeconds(1)), s_budgets.MaxLease);
                break;
        }
    }

    private static void Within(TimeSpan time, TimeSpan most)
    {
        if (time <= TimeSpan.Zero || time > most)
        {
            throw new InvalidOperationException($"{time} was allowed, where at most {most} is");
        }
    }
}
