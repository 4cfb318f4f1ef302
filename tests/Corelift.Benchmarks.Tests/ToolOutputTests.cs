using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks.Tests;

public sealed class ToolOutputTests
{
    // Of redis-benchmark 7.0.15, shortened.
    private const string Load = """
        ====== SET ======
          100000 requests completed in 2.50 seconds
          16 parallel clients

        Latency by percentile distribution:
        0.000% <= 0.055 milliseconds (cumulative count 5)
        50.000% <= 0.143 milliseconds (cumulative count 50922)
        98.438% <= 2.183 milliseconds (cumulative count 98439)
        99.219% <= 3.095 milliseconds (cumulative count 99223)
        99.805% <= 4.463 milliseconds (cumulative count 99805)
        99.902% <= 4.879 milliseconds (cumulative count 99904)
        100.000% <= 12.583 milliseconds (cumulative count 100000)

        Cumulative distribution of latencies:
        24.042% <= 0.103 milliseconds (cumulative count 24042)

        """;

    [Fact]
    public void Latencies_of_redis_benchmark_are_those_that_enough_requests_kept()
    {
        RedisLatency latency = RedisLatency.Parse(Load);

        Assert.Equal(0.143, latency.P50.TotalMilliseconds, 3);
        Assert.Equal(3.095, latency.P99.TotalMilliseconds, 3);
        Assert.Equal(4.879, latency.P999.TotalMilliseconds, 3);
        Assert.Equal(12.583, latency.Max.TotalMilliseconds, 3);
        Assert.Equal(40000, latency.RequestsPerSecond);
    }

    [Fact]
    public void A_load_that_failed_has_no_latencies() =>
        Assert.Throws<FormatException>(() => RedisLatency.Parse("Could not connect to Redis\n"));

    [Theory]
    [InlineData("1.25 0.75 2048\n")]
    [InlineData("Command exited with non-zero status 1\n1.25 0.75 2048\n")]
    public void Usage_is_the_last_line_of_GNU_time(string text) =>
        Assert.Equal(new TimedUsage(TimeSpan.FromSeconds(2), 2 << 20), TimedUsage.Parse(text));

    [Fact]
    public void The_error_that_says_why_is_told_before_the_one_that_says_that() => Assert.Equal(
        "Error (criu/vdso.c:381): vdso: bounds",
        "Warn x\nError (criu/util.c:642): exited, status=1\nError (criu/vdso.c:381): vdso: bounds\nError (criu/other.c:1): also\n".FirstError());

    [Fact]
    public void An_answer_of_a_tracee_is_read_by_its_key()
    {
        Assert.Equal(12, TraceeAnswer.Number("OK gap_us=340 stopped_us=12", "stopped_us"));
        Assert.Throws<Corelift.Testing.TestingException>(() => TraceeAnswer.Number("OK gap_us=340", "stopped_us"));
    }
}
