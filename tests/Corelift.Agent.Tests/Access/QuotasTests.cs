using Corelift.Agent.Access;
using Corelift.Agent.Access.Policy;
using Corelift.Linux;

namespace Corelift.Agent.Tests.Access;

public sealed class QuotasTests
{
    private static readonly Caller s_alice = new(CallerKind.UnixPeer, "uid:1");
    private static readonly Caller s_bob = new(CallerKind.UnixPeer, "uid:2");
    private static readonly ProcessRef s_one = new(1, 10), s_two = new(2, 20);

    private readonly Clock _clock = new();

    [Fact]
    public void Stops_of_a_minute_are_counted_for_each_identity()
    {
        Quotas quotas = new(_clock);
        AccessPolicy policy = new() { PerIdentity = new RateLimits { StopsPerMinute = 3 } };
        for (int i = 0; i < 3; i++)
        {
            quotas.Begin(s_alice, s_one, policy, true).Dispose();
            _clock.Pass(TimeSpan.FromSeconds(10));
        }

        QuotaException refusal = Assert.Throws<QuotaException>(() => quotas.Begin(s_alice, s_two, policy, true));
        Assert.InRange(refusal.RetryAfter!.Value, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(33));
        quotas.Begin(s_bob, s_one, policy, true).Dispose();
        _clock.Pass(refusal.RetryAfter.Value - TimeSpan.FromSeconds(2));
        Assert.Throws<QuotaException>(() => quotas.Begin(s_alice, s_one, policy, true));
        _clock.Pass(TimeSpan.FromSeconds(2));
        quotas.Begin(s_alice, s_one, policy, true).Dispose();
    }

    [Fact]
    public void A_target_is_left_alone_for_its_cool_down_whoever_asks()
    {
        Quotas quotas = new(_clock);
        AccessPolicy policy = new() { PerTarget = new RateLimits { CoolDown = TimeSpan.FromSeconds(30) } };
        quotas.Begin(s_alice, s_one, policy, true).Dispose(); // refused by the engine: nobody was stopped
        QuotaTicket ticket = quotas.Begin(s_alice, s_one, policy, true);
        ticket.Add(TimeSpan.FromMilliseconds(1), 0);
        ticket.Dispose();
        QuotaException refusal = Assert.Throws<QuotaException>(() => quotas.Begin(s_bob, s_one, policy, true));
        Assert.Equal(TimeSpan.FromSeconds(30), refusal.RetryAfter);
        quotas.Begin(s_bob, s_two, policy, true).Dispose();
        _clock.Pass(TimeSpan.FromSeconds(30));
        quotas.Begin(s_bob, s_one, policy, true).Dispose();
    }

    [Fact]
    public void Stopped_time_and_bytes_are_counted_when_they_were_had()
    {
        Quotas quotas = new(_clock);
        AccessPolicy policy = new() { PerIdentity = new RateLimits { StoppedPerMinute = TimeSpan.FromMilliseconds(100), BytesPerHour = 1000 } };
        QuotaTicket ticket = quotas.Begin(s_alice, s_one, policy, true);
        Assert.Equal(TimeSpan.FromMilliseconds(100), ticket.StoppedTimeLeft(TimeSpan.Zero));
        Assert.Equal(TimeSpan.FromMilliseconds(-20), ticket.StoppedTimeLeft(TimeSpan.FromMilliseconds(120)));
        ticket.RequireBytes(1000);
        Assert.Null(Assert.Throws<QuotaException>(() => ticket.RequireBytes(1001)).RetryAfter); // waiting does not help
        ticket.Add(TimeSpan.FromMilliseconds(100), 600);
        ticket.Dispose();
        Assert.NotNull(Assert.Throws<QuotaException>(() => quotas.Begin(s_alice, s_one, policy, true)).RetryAfter);
        _clock.Pass(TimeSpan.FromMinutes(2));
        ticket = quotas.Begin(s_alice, s_one, policy, true);
        ticket.RequireBytes(400);
        QuotaException refusal = Assert.Throws<QuotaException>(() => ticket.RequireBytes(401));
        Assert.InRange(refusal.RetryAfter!.Value, TimeSpan.FromMinutes(57), TimeSpan.FromMinutes(61));
        _clock.Pass(TimeSpan.FromMinutes(61));
        ticket.RequireBytes(1000);
    }

    [Fact]
    public void So_many_at_once_and_memory_reads_are_none_of_them()
    {
        Quotas quotas = new(_clock);
        AccessPolicy policy = new() { PerIdentity = new RateLimits { AtOnce = 1 } };
        QuotaTicket first = quotas.Begin(s_alice, s_one, policy, true);
        Assert.Throws<QuotaException>(() => quotas.Begin(s_alice, s_two, policy, true));
        quotas.Begin(s_alice, s_one, policy, false).Dispose();
        first.Dispose();
        first.Dispose();
        QuotaTicket second = quotas.Begin(s_alice, s_two, policy, true);
        Assert.Throws<QuotaException>(() => quotas.Begin(s_alice, s_one, policy, true));
        second.Dispose();
    }

    [Fact]
    public void Thousands_of_targets_that_are_gone_are_forgotten()
    {
        Quotas quotas = new(_clock);
        for (int i = 1; i < 20_000; i++)
        {
            quotas.Begin(s_alice, new ProcessRef(i, 1), AccessPolicy.None, true).Dispose();
            _clock.Pass(TimeSpan.FromMinutes(1));
        }

        Assert.InRange(quotas.TrackedCount, 1, 5000);
    }

    private sealed class Clock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        internal void Pass(TimeSpan time) => _now += time.Ticks;
    }
}
