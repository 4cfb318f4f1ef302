namespace Corelift.EndToEnd.Tests.Split;

/// <summary>Which process holds what, as the kernel says it.</summary>
public sealed class CapabilitiesTests
{
    private const string None = "0000000000000000", Two = "0000000000880000";

    [Theory]
    [InlineData(65534u)]
    [InlineData(0u)]
    public async Task The_process_that_serves_holds_no_capability_on_any_thread_and_cannot_get_one(uint uid)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync(new AgentOptions { Uid = uid });
        int frontEnd = agent.FrontEndPid;
        foreach (int tid in Proc.Tasks(frontEnd))
        {
            Assert.All(["CapEff", "CapPrm", "CapInh", "CapAmb"], (string set) => Assert.Equal(None, Proc.Status(frontEnd, set, tid)));
            Assert.Equal("1", Proc.Status(frontEnd, "NoNewPrivs", tid));
        }

        Assert.Equal(Two, Proc.Status(agent.Pid, "CapEff"));
        Assert.All([agent.Pid, frontEnd], AssertClosed);
    }

    [Fact]
    public async Task The_process_with_the_capabilities_has_no_network()
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        string[] sockets = [.. Directory.GetFileSystemEntries($"/proc/{agent.Pid}/fd").Select(path => new FileInfo(path).LinkTarget ?? "").Where(link => link.StartsWith("socket:", StringComparison.Ordinal))];
        string[] inodes = [.. sockets.Select(link => link["socket:[".Length..^1])];
        string[] network = [.. ((string[])["tcp", "tcp6", "udp", "udp6", "raw", "netlink"]).SelectMany(name => File.ReadLines($"/proc/{agent.Pid}/net/{name}"))];
        Assert.All(inodes, inode => Assert.DoesNotContain(network, line => line.Split(' ').Contains(inode)));
        Assert.NotEmpty(inodes);
    }

    [Fact]
    public async Task A_front_end_that_is_started_with_capabilities_gives_them_up_before_it_serves()
    {
        await using SplitAgent agent = new();
        await agent.StartSupervisorAsync(frontEndUid: 0);
        System.Diagnostics.Process frontEnd = await agent.StartFrontEndAsync(uid: 0, withCapabilities: true);
        Assert.False(frontEnd.HasExited, agent.Log);
        foreach (int tid in Proc.Tasks(frontEnd.Id))
        {
            Assert.All(["CapEff", "CapPrm", "CapInh", "CapAmb"], (string set) => Assert.Equal(None, Proc.Status(frontEnd.Id, set, tid)));
            Assert.Equal("1", Proc.Status(frontEnd.Id, "NoNewPrivs", tid));
        }
    }

    /// <summary>Nobody without CAP_SYS_PTRACE looks into it, and it leaves no core.</summary>
    private static void AssertClosed(int pid)
    {
        string limits = File.ReadLines($"/proc/{pid}/limits").Single(line => line.StartsWith("Max core file size", StringComparison.Ordinal));
        Assert.Equal(["0", "0", "bytes"], limits["Max core file size".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        if (Proc.Status(pid, "Uid")!.Split('\t')[0] != "0")
        {
            Assert.Equal("0", Owner($"/proc/{pid}/environ"));
        }
    }

    // The files of a process that is not dumpable are root's.
    private static string Owner(string path)
    {
        CommandResult result = Command.RunAsync("stat", ["-c", "%u", path]).GetAwaiter().GetResult();
        return result.Checked().Output.Trim();
    }
}
