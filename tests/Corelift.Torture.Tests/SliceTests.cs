using Xunit.Abstractions;

namespace Corelift.Torture.Tests;

/// <summary>A slice of what ./run torture does for as long as one likes; each failure names the command that repeats it.</summary>
public sealed class SliceTests(ITestOutputHelper output)
{
    private const int Seed = 20_261_128;

    // Those that are quick; ./run torture draws from all.
    private static readonly string[] s_only =
    [
        "canary", "fds", "rseq", "vectors", "nondumpable", "other-user", "stopped",
        "none", "worker-syscall", "worker-kill", "reaper-syscall", "front-end-kill", "agent-kill", "all-kill", "cancel", "disconnect", "target-kill",
    ];

    [Fact]
    public async Task Kills_hangs_and_cancelled_calls_harm_nobody()
    {
        Tally tally = await RunAsync(new TortureOptions { Seed = Seed, Duration = TimeSpan.FromSeconds(40), MaxCases = 400, Only = s_only });
        Assert.True(tally.Kills > 0, "no kill came in time");
    }

    [Theory]
    [InlineData("stop")]
    [InlineData("direct")]
    [InlineData("fork")]
    [InlineData("precopy")]
    public async Task A_worker_killed_after_a_system_call_of_its_stop_harms_nobody(string session)
    {
        Tally tally = await RunAsync(new TortureOptions
        {
            Seed = Seed,
            Duration = TimeSpan.FromSeconds(8),
            MaxCases = 60,
            Only = ["fds", "canary", "rseq", "vectors", "stopped", session, "worker-syscall"],
        });
        Assert.True(tally.Kills > 0, "no kill came in time");
    }

    private async Task<Tally> RunAsync(TortureOptions options)
    {
        TortureRun run = new(options, output.WriteLine);
        await run.RunAsync(CancellationToken.None);
        output.WriteLine(run.Tally.ToString());
        Assert.Empty(run.Failures);
        return run.Tally;
    }
}
