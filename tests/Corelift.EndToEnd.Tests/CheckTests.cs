using System.Text.Json;

namespace Corelift.EndToEnd.Tests;

/// <summary>corelift-agent check, run as an agent would be.</summary>
public sealed class CheckTests
{
    [Theory]
    [InlineData(65534u)]
    [InlineData(0u)]
    public async Task Each_strategy_is_tried_for_real_and_its_pause_is_told(uint uid)
    {
        (int exitCode, string output) = await AgentProcess.RunToEndAsync(new AgentOptions { Uid = uid, Arguments = ["check", "--json"] });
        using JsonDocument report = JsonDocument.Parse(output);
        Dictionary<string, JsonElement> lines = report.RootElement.GetProperty("checks").EnumerateArray().ToDictionary(line => line.GetProperty("name").GetString()!);
        Assert.Equal(exitCode, report.RootElement.GetProperty("exit_code").GetInt32());
        Assert.All(["capabilities", "other capabilities", "Yama", "/proc", "worker", "memory for spools", "state directory"], (string name) => AssertOk(lines[name]));
        foreach (string strategy in (string[])["direct", "fork", "precopy"])
        {
            JsonElement line = lines["trial " + strategy];
            AssertOk(line);
            Assert.Matches(@"^paused \d+\.\d\d ms, \d+ threads, \d+ MiB read$", line.GetProperty("found").GetString()!);
        }

        bool isLimited = lines.Values.Any(line => line.GetProperty("state").GetString() != "ok");
        Assert.Equal(isLimited ? 1 : 0, exitCode);
        Assert.All(lines.Values, line => Assert.Equal(line.GetProperty("state").GetString() == "ok", line.GetProperty("remedy").GetString()!.Length == 0));
        await Wait.UntilAsync(() => !Proc.Named("corelift-agent").Any(IsTarget), Wait.Soon, "none of its processes left");
    }

    [Fact]
    public async Task Without_a_capability_it_cannot_work_and_the_remedy_is_said()
    {
        (int exitCode, string output) = await AgentProcess.RunToEndAsync(new AgentOptions { Capabilities = ["sys_nice"], Arguments = ["check"] });
        Assert.Equal(2, exitCode);
        Assert.Matches(@"(?m)^FAILED +capabilities +without CAP_SYS_PTRACE$", output);
        Assert.Contains("-> give it CAP_SYS_PTRACE and CAP_SYS_NICE", output, StringComparison.Ordinal);
        Assert.EndsWith("the agent cannot work here", output.TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_written_to_is_said_with_what_to_do()
    {
        (int exitCode, string output) = await AgentProcess.RunToEndAsync(
            new AgentOptions { Arguments = ["--listen", "unix:/proc/corelift/agent.sock", "--state-directory", "/proc", "--spool-directory", "/nowhere", "check"] });
        Assert.Equal(2, exitCode);
        Assert.Matches(@"(?m)^FAILED +address unix:/proc/corelift/agent.sock ", output);
        Assert.Matches(@"(?m)^limited +state directory +/proc cannot be written to", output);
        Assert.Matches(@"(?m)^limited +spool directory +/nowhere is not there$", output);
    }

    private static bool IsTarget(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").Contains("check-target", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // it has just ended
        }
    }

    private static void AssertOk(JsonElement line) => Assert.True(line.GetProperty("state").GetString() == "ok", line.ToString());
}
