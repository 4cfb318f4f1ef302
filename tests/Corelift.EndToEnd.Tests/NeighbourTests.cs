using System.Diagnostics;
using System.Text.Json;

namespace Corelift.EndToEnd.Tests;

/// <summary>The target's work goes before the dump.</summary>
public sealed class NeighbourTests : AgentTest
{
    private const long MebiByte = 1 << 20;

    [Fact]
    public async Task An_image_is_dropped_before_its_target_runs_out_of_memory()
    {
        using TestCgroup cgroup = TestCgroup.WithMemory(200 * MebiByte);
        using LiveProcess target = LiveProcess.Start("spinner", "--mib", "8", "--dirty-mbps", "100", "--dirty-range-mib", "256");
        cgroup.Take(target.Pid); // so what is charged to it is what it writes from now on: the copies that the image causes

        CommandResult result = await Cli.RunAsync(
            Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--strategy", "fork", "--rate-limit", "2MiB", "--json");
        Assert.True(target.IsAlive, "the target lives");
        await target.CheckAsync();
        Assert.Equal(7, result.ExitCode);
        Assert.False(File.Exists(CorePath), "a partial core does not have the name of a whole one");
        Assert.Contains(Scratch.Names, name => name.EndsWith(".partial", StringComparison.Ordinal));
        using JsonDocument report = JsonDocument.Parse(result.Output);
        Assert.True(report.RootElement.GetProperty("partial").GetBoolean());
        await Agent.AssertNoWorkersAsync();
        Assert.Empty(Proc.Children(target.Pid));
    }

    [Fact]
    public async Task No_image_takes_the_last_task_that_the_targets_cgroup_may_have()
    {
        using TestCgroup cgroup = TestCgroup.ForTasks();
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "16", "--threads", "4");
        cgroup.Take(target.Pid);
        cgroup.AllowMoreTasks(1);

        CommandResult refused = await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--strategy", "fork");
        Assert.Equal(4, refused.ExitCode);
        Assert.Contains("only 1 more tasks (pids.max)", refused.Errors, StringComparison.Ordinal);
        Assert.Empty(Scratch.Names);

        SnapshotReport report = await SnapshotAsync(target, "auto");
        Assert.NotEqual("fork", report.Strategy);
        using (CoreImage core = new(CorePath))
        {
            core.AssertHolds(target.Range("private"));
        }

        cgroup.AllowMoreTasks(0);
        report = await SnapshotAsync(target, "auto", "default", "--force");
        Assert.Equal("direct", report.Strategy);
        using CoreImage full = new(CorePath);
        full.AssertHolds(target.Range("private"));
        await target.CheckAsync();
    }

    [Fact]
    public async Task The_command_line_lets_others_go_first()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64");
        Task<CommandResult> slow = Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--rate-limit", "16MiB");
        await Wait.UntilAsync(() => Scratch.Names.Length > 0, Wait.Soon, "a core that grows");
        int client = Assert.Single(Proc.Named("corelift"), pid => Proc.Arguments(pid).Contains(CorePath));
        int[] workers = [];
        await Wait.UntilAsync(
            () => (workers = [.. Proc.Tasks(client).Where(tid => Proc.Status(client, "Name", tid) == ".NET TP Worker")]).Length > 0, Wait.Soon, "its threads");
        Assert.All(workers, tid => Assert.Equal("10", Proc.Stat($"/proc/{client}/task/{tid}/stat")[16]));
        (await slow).Checked();
        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Reading_keeps_to_its_rate(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "32");
        long began = Stopwatch.GetTimestamp();
        await SnapshotAsync(target, strategy, "default", "--rate-limit", "16MiB");

        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 1.5, 60);
        await target.CheckAsync();
        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
    }

    [Fact]
    public async Task Reading_slows_down_while_the_target_waits_for_a_CPU()
    {
        using TestCgroup cgroup = TestCgroup.InUnified();
        string writers = $"{2 * Environment.ProcessorCount}";
        using LiveProcess target = LiveProcess.Start("dirtier", "--mib", "256", "--threads", "1", "--writers", writers, "--mbps", "50000");
        cgroup.Take(target.Pid);

        SnapshotReport report = await SnapshotAsync(target, "fork");
        Assert.Contains(report.Warnings, warning => warning.StartsWith("reading was slowed", StringComparison.Ordinal));
        await target.CheckAsync();
    }
}
