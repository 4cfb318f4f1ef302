namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>A clock that goes on when a test says so.</summary>
internal sealed class ManualClock : TimeProvider
{
    private readonly DateTimeOffset _start = DateTimeOffset.UtcNow;
    private TimeSpan _elapsed;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _elapsed.Ticks;

    public override DateTimeOffset GetUtcNow() => _start + _elapsed;

    public void Advance(TimeSpan time) => _elapsed += time;
}
