using System.Diagnostics;
using System.Text;

namespace Corelift.EndToEnd.Tests;

/// <summary>The program on a terminal (script(1) makes one), with a user at its keyboard.</summary>
public sealed class TerminalTests : AgentTest
{
    private const string CtrlC = "\u0003";
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    [Theory, MemberData(nameof(Strategies))]
    public async Task Ctrl_C_ends_a_snapshot_with_130_and_leaves_no_file_and_the_target_as_it_was(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "3", "--mib", "32");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        string command = $"'{Artifacts.Cli}' snapshot {target.Pid} -o '{CorePath}' --strategy {strategy} --rate-limit 1MiB";
        using Process terminal = Command.Begin(
            "script", ["-qec", command, "/dev/null"], new Dictionary<string, string> { ["CORELIFT_AGENT"] = Agent.Address, ["TERM"] = "xterm" });
        StringBuilder screen = new();
        Task reading = ReadAsync(terminal.StandardOutput, screen);
        try
        {
            await Wait.UntilAsync(() => Task.FromResult(Text(screen).Contains("MiB/s", StringComparison.Ordinal)), s_bound, () => Text(screen));
            Assert.NotEmpty(Directory.GetFiles(Scratch.Path)); // the partial file, until now
            await terminal.StandardInput.WriteAsync(CtrlC);
            await terminal.StandardInput.FlushAsync();
            using CancellationTokenSource patience = new(s_bound);
            await terminal.WaitForExitAsync(patience.Token);
            await reading;
        }
        finally
        {
            if (!terminal.HasExited)
            {
                terminal.Kill(entireProcessTree: true);
            }
        }

        Assert.Equal(130, terminal.ExitCode);
        Assert.EndsWith("corelift: interrupted", Text(screen).TrimEnd(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Scratch.Path));
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    private static string Text(StringBuilder screen)
    {
        lock (screen)
        {
            return screen.ToString();
        }
    }

    private static async Task ReadAsync(StreamReader output, StringBuilder screen)
    {
        char[] buffer = new char[1024];
        for (int length; (length = await output.ReadAsync(buffer)) > 0;)
        {
            lock (screen)
            {
                screen.Append(buffer, 0, length);
            }
        }
    }
}
