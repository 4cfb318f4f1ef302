using System.Globalization;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Net.Client;
using Xunit.Abstractions;

namespace Corelift.EndToEnd.Tests;

/// <summary>
/// The calls that signal(7) lists as never restarted: none of them ends because of a stop, each keeps its own deadline, and
/// a signal that comes in the same moment ends it with EINTR as it would have done without us.
/// </summary>
public sealed class BlockedCallsTests(ITestOutputHelper output) : AgentTest
{
    private const int SigUsr1 = 10;
    private const int SigChld = 17;
    private const int TimeoutMilliseconds = 4000;
    private static readonly TimeSpan s_bound = Wait.Soon;

    [Theory, MemberData(nameof(Strategies))]
    public async Task Each_call_has_only_what_was_left_of_its_timeout(string strategy)
    {
        using LiveProcess target = Start();
        await AgeAsync(target, 1500);
        await SnapshotAsync(target, strategy);
        await AssertStillWaitingAsync(target);

        // With the full timeout again it would take 5500 ms and more.
        await target.CheckAsync("timeouts");
    }

    [Fact]
    public async Task A_deadline_is_kept_through_several_stops()
    {
        using LiveProcess target = Start();
        for (int age = 700; age <= 2100; age += 700)
        {
            await AgeAsync(target, age);
            await (await HoldAsync(target)).ResumeAsync();
        }

        await AssertStillWaitingAsync(target);
        await target.CheckAsync("timeouts");
    }

    [Fact]
    public async Task A_call_whose_time_runs_out_in_a_stop_ends_with_it()
    {
        using LiveProcess target = Start("--slack", "2500"); // the stop ends at about 5600 ms, the full timeout again at 9600
        await AgeAsync(target, 1500);
        await using Hold hold = await HoldAsync(target);
        await Wait.UntilAsync(() => Environment.TickCount64 - hold.Started > TimeoutMilliseconds, s_bound, "every deadline passes");
        await hold.ResumeAsync();
        await target.CheckAsync("timeouts");
    }

    [Fact]
    public async Task A_signal_that_comes_in_a_stop_ends_each_call_once()
    {
        using LiveProcess target = Start();
        await using Hold hold = await HoldAsync(target);
        SignalAll(target, SigUsr1);
        await hold.ResumeAsync();
        await target.CheckAsync("interrupted");
    }

    [Fact]
    public async Task A_signal_that_is_ignored_ends_no_call()
    {
        using LiveProcess target = Start();
        await AgeAsync(target, 1500);
        await using Hold hold = await HoldAsync(target);
        SignalAll(target, SigChld);
        await hold.ResumeAsync();
        await AssertStillWaitingAsync(target);
        await target.CheckAsync("timeouts");
    }

    [Fact]
    public async Task The_death_of_the_worker_ends_no_call()
    {
        using LiveProcess target = Start();
        await using Hold hold = await HoldAsync(target);
        ExpectedErrors = ".*";
        Assert.Equal(1, Agent.KillWorkers());
        await Wait.UntilAsync(() => Proc.Status(target.Pid, "TracerPid") == "0", s_bound, "the target is let go");
        await target.CheckAsync("survived");
    }

    private LiveProcess Start(params string[] more)
    {
        LiveProcess target = LiveProcess.Start("timeouts", ["--ms", $"{TimeoutMilliseconds}", .. more]);
        string unsupported = target.Facts["unsupported"];
        output.WriteLine(unsupported.Length == 0 ? "this kernel has all of the calls" : $"not tried, as this kernel refuses them: {unsupported}");
        return target;
    }

    private static void SignalAll(LiveProcess target, int signal)
    {
        foreach (string tid in target.Facts["tids"].Split(','))
        {
            target.Signal(int.Parse(tid, CultureInfo.InvariantCulture), signal);
        }
    }

    private static Task AgeAsync(LiveProcess target, long milliseconds) => Wait.UntilAsync(
        async () => await target.AskNumberAsync("age", "ms") >= milliseconds, s_bound, () => $"the calls wait for {milliseconds} ms");

    /// <summary>Otherwise what follows would prove nothing.</summary>
    private static async Task AssertStillWaitingAsync(LiveProcess target) =>
        Assert.InRange(await target.AskNumberAsync("age", "ms"), 0, TimeoutMilliseconds - 100);

    private async Task<Hold> HoldAsync(LiveProcess target)
    {
        GrpcChannel channel = Agent.Connect();
        long started = Environment.TickCount64;
        StopResponse lease = await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(20)),
        });
        return new Hold(channel, lease.LeaseId, started);
    }

    private sealed class Hold(GrpcChannel channel, string leaseId, long started) : IAsyncDisposable
    {
        internal long Started => started;

        internal async Task ResumeAsync() =>
            await new ControlService.ControlServiceClient(channel).ResumeAsync(new ResumeRequest { LeaseId = leaseId });

        public ValueTask DisposeAsync()
        {
            channel.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
