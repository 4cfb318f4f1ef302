using Corelift.Client.Tests.Scripted;
using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Tests;

/// <summary>Snapshots from which the agent had to drop memory: kept, marked, and never taken for whole ones.</summary>
public sealed class PartialTests
{
    private static readonly SnapshotRequest s_request = new() { Target = new ProcessRef { Pid = SyntheticCapture.Pid } };

    [Fact]
    public async Task A_partial_core_says_so_in_its_name_in_itself_and_in_the_result()
    {
        await using ScriptedAgent agent = await StartAsync();

        SnapshotResult result = await CaptureAsync(agent);

        Assert.Equal((true, agent.File("x.core.partial")), (result.IsPartial, result.Path));
        Assert.Equal("the image was dropped: memory of the cgroup ran out", result.PartialBecause);
        Assert.Equal(["x.core.partial"], agent.FilesLeft());
        await using FileStream file = File.OpenRead(agent.File("x.core.partial"));
        CoreVerification verification = CoreVerifier.Verify(file);
        Assert.Contains(verification.Findings, f => f is { Kind: "partial", Severity: CoreFindingSeverity.Warning });
        Assert.True(verification.IsSound);
        Assert.Contains(
            new RecordHole(SyntheticCapture.StackStart, SyntheticCapture.StackStart + (4 * 4096), "dropped"), verification.Record!.Holes);
    }

    [Fact]
    public async Task A_partial_core_never_replaces_a_whole_one_nor_another_that_nobody_gave_free()
    {
        await using ScriptedAgent agent = await StartAsync();
        await File.WriteAllTextAsync(agent.File("x.core"), "whole");

        await CaptureAsync(agent, overwrite: true);
        await File.WriteAllTextAsync(agent.File("x.core.partial"), "mine");
        File.Delete(agent.File("x.core"));
        Assert.Equal(agent.File("x.core.partial.2"), (await CaptureAsync(agent)).Path);
        Assert.Equal(agent.File("x.core.partial.3"), (await CaptureAsync(agent)).Path);
        Assert.Equal("mine", await File.ReadAllTextAsync(agent.File("x.core.partial")));
        await File.WriteAllTextAsync(agent.File("x.core"), "whole");
        Assert.Equal(agent.File("x.core.partial"), (await CaptureAsync(agent, overwrite: true)).Path);

        Assert.Equal("whole", await File.ReadAllTextAsync(agent.File("x.core")));
        Assert.True(new FileInfo(agent.File("x.core.partial")).Length > 4096);
    }

    [Fact]
    public async Task A_pipe_gets_a_partial_core_that_says_so()
    {
        await using ScriptedAgent agent = await StartAsync();
        await using CoreliftClient client = agent.Connect();
        using MemoryStream bytes = new();

        SnapshotResult result = await client.SnapshotAsync(s_request, SnapshotDestination.ToStream(new PipeLike(bytes)));

        Assert.Equal((true, null), (result.IsPartial, result.Path));
        Assert.True(CoreVerifier.Verify(bytes).Record!.IsPartial);
    }

    [Fact]
    public async Task A_core_that_broke_off_is_not_kept_as_a_partial_one()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.Partial().Messages().SkipLast(1));

        await Assert.ThrowsAsync<SnapshotException>(() => CaptureAsync(agent));

        Assert.Empty(agent.FilesLeft());
    }

    private static async Task<ScriptedAgent> StartAsync()
    {
        ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.Partial().Messages());
        return agent;
    }

    private static async Task<SnapshotResult> CaptureAsync(ScriptedAgent agent, bool overwrite = false)
    {
        await using CoreliftClient client = agent.Connect();
        return await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core"), overwrite));
    }
}
