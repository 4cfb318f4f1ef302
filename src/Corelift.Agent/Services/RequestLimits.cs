using Corelift.Capture;
using Google.Protobuf.WellKnownTypes;
using Wire = Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>Checks what clients ask for, and cuts it to the agent's budgets.</summary>
internal static class RequestLimits
{
    private const uint MaxPid = 4_194_304; // PID_MAX_LIMIT
    private static readonly TimeSpan s_shortestLease = TimeSpan.FromMilliseconds(10);

    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT.</exception>
    internal static Linux.ProcessRef ToTarget(Wire.ProcessRef? target) => target is { Pid: > 0 and <= MaxPid }
        ? new Linux.ProcessRef((int)target.Pid, target.StartTimeTicks)
        : throw RpcErrors.InvalidField("ref.pid", $"is {target?.Pid ?? 0}: name a process by its pid, from 1 to {MaxPid}");

    internal static CaptureRequest ToRequest(Wire.CaptureOptions? wire, CaptureEngineOptions budgets)
    {
        wire ??= new Wire.CaptureOptions();
        return new CaptureRequest
        {
            Strategy = wire.Strategy switch
            {
                Wire.Strategy.Unspecified => CaptureStrategy.Auto,
                Wire.Strategy.Direct => CaptureStrategy.Direct,
                Wire.Strategy.Fork => CaptureStrategy.Fork,
                Wire.Strategy.Precopy => CaptureStrategy.Precopy,
                _ => throw RpcErrors.InvalidField("options.strategy", $"is {(int)wire.Strategy}, which is no strategy"),
            },
            Content = wire.Content switch
            {
                Wire.Content.Unspecified or Wire.Content.Default => CaptureContent.Default,
                Wire.Content.Full => CaptureContent.Full,
                Wire.Content.Stacks => CaptureContent.Stacks,
                _ => throw RpcErrors.InvalidField("options.content", $"is {(int)wire.Content}, which is no content"),
            },
            StopBudget = ToStopBudget(wire.StopBudget, budgets, "options.stop_budget"),
            PauseCopyLimitBytes = wire.PauseCopyLimitBytes == 0
                ? budgets.DefaultPauseCopyLimitBytes
                : (long)Math.Min(wire.PauseCopyLimitBytes, 1UL << 40),
            PrecopyCopyLimitBytes = wire.PauseCopyLimitBytes == 0
                ? budgets.DefaultPrecopyCopyLimitBytes
                : (long)Math.Min(wire.PauseCopyLimitBytes, 1UL << 40),
            RateLimitBytesPerSecond = (long)Math.Min(wire.RateLimitBytesPerSecond, 1UL << 40),
            SinkCanSeek = !wire.SinkCannotSeek,
            Quiesces = wire.Quiesce,
            Secrets = new SecretMemory { IsIncluded = wire.IncludeSecrets },
        };
    }

    internal static TimeSpan ToStopBudget(Duration? wire, CaptureEngineOptions budgets, string field) =>
        ToTime(wire, field, budgets.DefaultStopBudget, TimeSpan.FromMilliseconds(1), budgets.MaxStopBudget);

    internal static TimeSpan ToLease(Duration? wire, CaptureEngineOptions budgets, TimeSpan whenZero) =>
        ToTime(wire, "time_to_live", whenZero, s_shortestLease, budgets.MaxLease);

    internal static Wire.Compression ToCompression(Wire.CaptureOptions? options) => options?.Compression switch
    {
        null or Wire.Compression.Unspecified or Wire.Compression.None => Wire.Compression.None,
        Wire.Compression.Lz4 => Wire.Compression.Lz4,
        Wire.Compression.Zstd => Wire.Compression.Zstd,
        _ => throw RpcErrors.InvalidField("options.compression", $"is {(int)options.Compression}, which is no compression"),
    };

    private static TimeSpan ToTime(Duration? wire, string field, TimeSpan whenZero, TimeSpan least, TimeSpan most)
    {
        if (wire is null || (wire.Seconds == 0 && wire.Nanos == 0))
        {
            return whenZero;
        }

        if (wire.Seconds < 0 || wire.Nanos < 0 || wire.Nanos > 999_999_999)
        {
            throw RpcErrors.InvalidField(field, "is not a duration of 0 or more");
        }

        // Compared before it is converted: ten thousand years do not fit a TimeSpan.
        TimeSpan asked = wire.Seconds > (long)most.TotalSeconds ? most : TimeSpan.FromTicks((wire.Seconds * TimeSpan.TicksPerSecond) + (wire.Nanos / 100));
        return asked < least ? least : asked > most ? most : asked;
    }
}
