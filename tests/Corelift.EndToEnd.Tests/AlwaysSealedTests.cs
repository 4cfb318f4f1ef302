using Corelift.Testing.Oracles;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>An agent that was told to seal every snapshot (<c>--seal-to</c>).</summary>
public sealed class AlwaysSealedTests : AgentTest, IDisposable
{
    private readonly ScratchFolder _keys = new();
    private AgeKey _operator = null!;

    public void Dispose() => _keys.Dispose();

    protected override AgentOptions Options
    {
        get
        {
            _operator = Age.KeyAsync(_keys.File("operator.txt")).GetAwaiter().GetResult();
            _keys.GiveTo(65534, 65534);
            File.WriteAllText(_keys.File("recipients"), $"# whoever may read cores of this host\n{_operator.Recipient}\n");
            return new AgentOptions { Arguments = ["--seal-to", _keys.File("recipients")] };
        }
    }

    [Fact]
    public async Task A_snapshot_is_sealed_to_the_agents_recipients_asked_or_not()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "8");
        using GrpcChannel channel = Agent.Connect();
        byte[] file = await CaptureStream.ReadSealedAsync(channel, CaptureStream.Request(target, Strategy.Precopy));
        await File.WriteAllBytesAsync(Scratch.File("unasked.age"), file);
        (await Age.DecryptAsync(_operator, Scratch.File("unasked.age"), Scratch.File("plain"))).Checked();
        Assert.Contains(_operator.Recipient, Agent.Log, StringComparison.Ordinal);

        AgeKey mine = await Age.KeyAsync(Scratch.File("mine.txt"));
        (await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "--seal-to", mine.Recipient, "-o", Scratch.File("both.age"))).Checked();
        foreach (AgeKey key in (AgeKey[])[_operator, mine])
        {
            (await Cli.RunAsync((string?)null, "open", Scratch.File("both.age"), "-i", key.Path, "-o", CorePath, "--force")).Checked();
            using CoreImage core = new(CorePath);
            core.AssertHolds(target.Range("private"));
        }
    }

    [Fact]
    public async Task The_cli_says_that_nothing_comes_unsealed_and_what_to_add()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        CommandResult plain = await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath);
        Assert.Equal(4, plain.ExitCode);
        Assert.Contains("--sealed", plain.Errors, StringComparison.Ordinal);
        Assert.Empty(Scratch.Names);

        (await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "--sealed", "-o", Scratch.File("x.age"))).Checked();
        (await Age.DecryptAsync(_operator, Scratch.File("x.age"), Scratch.File("plain"))).Checked();
        await target.CheckAsync();
    }

    [Fact]
    public async Task Memory_and_registers_of_a_lease_come_in_a_sealed_snapshot_only()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "4");
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await control.StopAsync(new StopRequest { Ref = new ProcessRef { Pid = (uint)target.Pid } });
        AddressSpan memory = target.Range("private");

        await RpcAssert.FailsWithReasonAsync(
            () => control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId }).ResponseStream.MoveNext(default),
            StatusCode.FailedPrecondition,
            "SEALING_REQUIRED");
        ReadMemoryRequest read = new() { LeaseId = lease.LeaseId, Ranges = { new AddressRange { Start = memory.Start, End = memory.End } } };
        await RpcAssert.FailsWithReasonAsync(
            () => control.ReadMemory(read).ResponseStream.MoveNext(default), StatusCode.FailedPrecondition, "SEALING_REQUIRED");

        byte[] file = await CaptureStream.ReadSealedAsync(channel, new CaptureRequest { LeaseId = lease.LeaseId });
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await File.WriteAllBytesAsync(Scratch.File("lease.age"), file);
        (await Cli.RunAsync((string?)null, "open", Scratch.File("lease.age"), "-i", _operator.Path, "-o", CorePath)).Checked();
        using CoreImage core = new(CorePath);
        core.AssertHolds(memory);
        await target.CheckAsync();
    }

    [Theory]
    [InlineData("", 0b110_100_100, "no key")]
    [InlineData("# only a comment\n", 0b110_100_100, "no key")]
    [InlineData("age1qqqqqq\n", 0b110_100_100, "line 1")]
    [InlineData("KEY\nalice\n", 0b110_100_100, "line 2")]
    [InlineData("KEY\n", 0b110_100_110, "chmod o-w")]
    [InlineData("KEY\n", 0b110_000_000, "cannot read")]
    public async Task An_agent_whose_recipients_are_in_doubt_does_not_start(string text, int mode, string expected)
    {
        string path = _keys.File("bad");
        await File.WriteAllTextAsync(path, text.Replace("KEY", _operator.Recipient, StringComparison.Ordinal));
        File.SetUnixFileMode(path, (UnixFileMode)mode);
        (int exitCode, string log) = await AgentProcess.RunToEndAsync(new AgentOptions { Arguments = ["--seal-to", path] });
        Assert.Equal(78, exitCode);
        Assert.Contains(expected, log, StringComparison.Ordinal);
    }
}
