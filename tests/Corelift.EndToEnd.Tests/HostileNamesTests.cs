using Corelift.V1;
using Grpc.Net.Client;
using Target = System.Diagnostics.Process;

namespace Corelift.EndToEnd.Tests;

/// <summary>A process that calls itself, and its files, by names that are made to be read wrongly.</summary>
public sealed class HostileNamesTests : AgentTest
{
    private static readonly TimeSpan s_bound = Wait.Soon;

    public static TheoryData<string> Names => ["x) R 1 1", "a\nTgid: 1", "\u001b[2J\u001b[31m", "\" , \"pid\":1", "a (deleted)", "b\\012c"];

    [Theory, MemberData(nameof(Names))]
    public async Task Names_are_told_as_they_are_and_written_so_that_they_steer_nothing(string name)
    {
        string program = Scratch.File(name);
        File.Copy("/bin/cat", program);
        using Target target = Command.Begin(program, []);
        try
        {
            await Wait.UntilAsync(() => Proc.State(target.Id) == "S", s_bound, "it waits for its input");
            File.Delete(program);
            using GrpcChannel channel = Agent.Connect();
            ListProcessesResponse list = await new ProcessService.ProcessServiceClient(channel).ListProcessesAsync(new ListProcessesRequest { Pids = { (uint)target.Id } });
            ProcessSummary summary = Assert.Single(list.Processes);
            Assert.Equal((name[..Math.Min(15, name.Length)], "S", (uint)target.Id), (summary.Name, summary.State, summary.Ref.Pid));
            GetProcessResponse details = await new ProcessService.ProcessServiceClient(channel).GetProcessAsync(new GetProcessRequest { Ref = summary.Ref });
            Assert.Equal((uint)Environment.ProcessId, details.Process.ParentPid);

            CommandResult table = await Cli.RunAsync(Agent, "ps");
            Assert.DoesNotContain('\u001b', table.Output);
            Assert.Contains(table.Output.Split('\n'), line => line.Contains($"{target.Id}", StringComparison.Ordinal));
            CaptureStream capture = await CaptureStream.ReadAsync(channel, new CaptureRequest { Ref = summary.Ref, Options = new CaptureOptions { Strategy = Strategy.Fork } });
            Assert.Contains(capture.Vmas, vma => vma.Vma.Name.Contains(name.Replace("b\\012c", "b\nc", StringComparison.Ordinal), StringComparison.Ordinal));
            Assert.Equal("0", Proc.Status(target.Id, "TracerPid"));
        }
        finally
        {
            target.StandardInput.Close();
            await target.WaitForExitAsync();
        }

        Assert.DoesNotContain('\u001b', Agent.Log);
    }
}
