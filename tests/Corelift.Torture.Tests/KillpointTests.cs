using Corelift.Torture.Targets;

namespace Corelift.Torture.Tests;

/// <summary>The kill points kill where they say, and are not there where they were not armed.</summary>
public sealed class KillpointTests
{
    [Fact]
    public async Task A_worker_is_killed_after_its_nth_call_and_the_session_says_that_it_was_lost()
    {
        await using Workplace place = new();
        TortureCase torture = new(0, TargetList.Named("canary"), Session.Fork, Fault.WorkerSyscall, 0, null);
        SessionLength length = await place.LengthAsync(torture);
        Assert.InRange(length.Syscalls, 100, 100_000);

        CaseReport report = await new CaseRunner(place).RunAsync(torture with { Moment = 200 }); // long before it hands anything over
        Assert.Null(report.Failure);
        Assert.True(report.Inflicted!.WasInTime);
        Assert.Equal("WORKER_LOST", report.Inflicted.Outcome.Reason);
        Assert.InRange(report.Inflicted.Release!.Value.Seen, TimeSpan.Zero, CaseRunner.LongestRelease);
    }

    [Fact]
    public async Task Without_a_point_the_session_ends_as_it_should()
    {
        await using Workplace place = new();
        CaseReport report = await new CaseRunner(place).RunAsync(new TortureCase(0, TargetList.Named("canary"), Session.Fork, Fault.None, 0, null));
        Assert.Null(report.Failure);
        Assert.True(report.Inflicted!.Outcome.IsWhole);
    }

    [Fact]
    public async Task A_target_that_was_harmed_is_found_out()
    {
        using LiveTarget target = LiveTarget.Start(TargetList.Named("canary"));
        await target.AssertAsBeforeAsync(Wait.Soon);
        target.Process.Signal(19);
        await Wait.UntilAsync(() => Proc.State(target.Process.Pid) == "T", Wait.Soon, "the target stopped");
        await Assert.ThrowsAsync<TestingException>(() => target.AssertAsBeforeAsync(TimeSpan.FromMilliseconds(200)));
        target.Process.Signal(18);
        await target.AssertAsBeforeAsync(Wait.Soon);
    }
}
