using System.Text;
using Corelift.Testing.Oracles;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Snapshots that a caller has sealed. The judge is the real age.</summary>
public sealed class SealedTests : AgentTest
{
    private string SealedPath => Scratch.File("target.core.age");

    [Theory, MemberData(nameof(Strategies))]
    public async Task Age_opens_what_the_agent_sealed_and_it_keeps_the_contract(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "8", "--threads", "3", "--zero-mib", "4");
        AgeKey one = await Age.KeyAsync(Scratch.File("one.txt")), two = await Age.KeyAsync(Scratch.File("two.txt"));
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest request = CaptureStream.Request(target, System.Enum.Parse<Strategy>(strategy, ignoreCase: true));
        request.Options.Recipients.Add([one.Recipient, two.Recipient, one.Recipient]);

        byte[] file = await CaptureStream.ReadSealedAsync(channel, request);
        await File.WriteAllBytesAsync(SealedPath, file);
        Assert.DoesNotContain("canary", Encoding.Latin1.GetString(file), StringComparison.Ordinal);
        Assert.Equal(2, Encoding.Latin1.GetString(file).Split("-> X25519 ").Length - 1);
        foreach (AgeKey key in (AgeKey[])[one, two])
        {
            (await Age.DecryptAsync(key, SealedPath, Scratch.File("plain"))).Checked();
            using FileStream plain = File.OpenRead(Scratch.File("plain"));
            CaptureStream stream = CaptureStream.ReadPlaintext(plain);
            Assert.Equal(4, stream.Threads.Count);
            Assert.Equal("canary", stream.Started.Process.Summary.Name);
            Assert.True(stream.Trailer!.MemoryBytes >= 8 << 20);
        }

        Assert.NotEqual(0, (await Age.DecryptAsync(await Age.KeyAsync(Scratch.File("other.txt")), SealedPath, Scratch.File("none"))).ExitCode);
        await target.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Opened_later_it_is_the_core_of_an_unsealed_snapshot(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "24", "--shared-mib", "3", "--memfd-mib", "2", "--zero-mib", "16", "--threads", "3");
        AgeKey key = await Age.KeyAsync(Scratch.File("key.txt"));
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        (await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "--strategy", strategy, "--compression", "lz4", "--seal-to", key.Recipient, "-o", SealedPath)).Checked();
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
        Assert.False(File.Exists(CorePath));

        (await Cli.RunAsync((string?)null, "open", SealedPath, "-i", key.Path)).Checked(); // to target.core
        (await Cli.RunAsync((string?)null, "verify", CorePath)).Checked();
        using CoreImage core = new(CorePath);
        Assert.All(["private", "shared", "memfd"], (string range) => core.AssertHolds(target.Range(range)));
        Expectations.StacksAreRight(core, target);
        CommandResult gdb = (await Gdb.RunAsync(target.Executable, CorePath, "info threads", "bt")).Checked();
        Assert.DoesNotContain(Gdb.Warnings(gdb), warning => !warning.Contains("Can't open file", StringComparison.Ordinal)); // a memfd has no file
        Assert.Contains("main", (await Gdb.BacktracesAsync(target.Executable, CorePath))[target.Pid]);
    }

    [Fact]
    public async Task Opened_as_it_comes_it_is_every_byte_too()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "24", "--threads", "3");
        AgeKey key = await Age.KeyAsync(Scratch.File("key.txt"));
        await SnapshotAsync(target, "precopy", "default", "-i", key.Path);
        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
    }

    [Fact]
    public async Task A_changed_cut_or_foreign_file_leaves_no_core()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "8");
        (await Cli.RunAsync((string?)null, "keygen", "-o", Scratch.File("key.txt"))).Checked();
        string recipient = (await Command.RunAsync("age-keygen", ["-y", Scratch.File("key.txt")])).Checked().Output.Trim();
        (await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "--seal-to", recipient, "-o", SealedPath)).Checked();
        byte[] file = await File.ReadAllBytesAsync(SealedPath);
        AgeKey other = await Age.KeyAsync(Scratch.File("other.txt"));

        Assert.Equal(4, (await Cli.RunAsync((string?)null, "open", SealedPath, "-i", other.Path)).ExitCode);
        await AssertNoCoreAsync(file[..^1]);
        await AssertNoCoreAsync(file[..(file.Length / 2)]);
        await AssertNoCoreAsync([.. file, 0]);
        foreach (int at in (int[])[10, 100, 250, file.Length / 3, file.Length - 1])
        {
            byte[] flipped = [.. file];
            flipped[at] ^= 0x10;
            await AssertNoCoreAsync(flipped);
        }
    }

    [Fact]
    public async Task Recipients_that_are_no_keys_are_named_and_not_repeated()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        AgeKey key = await Age.KeyAsync(Scratch.File("key.txt"));
        string secret = (await File.ReadAllLinesAsync(key.Path)).Single(line => line.StartsWith("AGE-SECRET-KEY-", StringComparison.Ordinal));
        using GrpcChannel channel = Agent.Connect();
        foreach (string bad in (string[])["", "alice", secret, key.Recipient[..^1] + (key.Recipient[^1] == 'q' ? 'p' : 'q')])
        {
            CaptureRequest request = CaptureStream.Request(target, Strategy.Fork);
            request.Options.Recipients.Add([key.Recipient, bad]);
            RpcException failure = await Assert.ThrowsAsync<RpcException>(() => CaptureStream.ReadSealedAsync(channel, request));
            Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
            Assert.Contains("options.recipients[1]", failure.Status.Detail, StringComparison.Ordinal);
            Assert.DoesNotContain(secret[20..], failure.Status.Detail, StringComparison.OrdinalIgnoreCase);
            await RpcAssert.FailsWithReasonAsync(
                async () => await new SnapshotService.SnapshotServiceClient(channel).PlanAsync(new PlanRequest { Ref = request.Ref, Options = request.Options }),
                StatusCode.InvalidArgument,
                "INVALID_FIELD");
        }

        CaptureRequest many = CaptureStream.Request(target, Strategy.Fork);
        many.Options.Recipients.Add(Enumerable.Repeat(key.Recipient, 21));
        await RpcAssert.FailsWithReasonAsync(() => CaptureStream.ReadSealedAsync(channel, many), StatusCode.InvalidArgument, "INVALID_FIELD");
        Assert.Equal("0", Proc.Status(target.Pid, "TracerPid"));
    }

    [Fact]
    public async Task An_agent_that_is_killed_leaves_no_sealed_file()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64");
        AgeKey key = await Age.KeyAsync(Scratch.File("key.txt"));
        ExpectedErrors = ".";
        Task<CommandResult> snapshot = Cli.RunAsync(
            Agent, "snapshot", $"{target.Pid}", "--seal-to", key.Recipient, "--strategy", "fork", "--rate-limit", "10MiB", "-o", SealedPath);
        await Wait.UntilAsync(
            () => Scratch.Names.Any(name => name.StartsWith(".target", StringComparison.Ordinal) && new FileInfo(Scratch.File(name)).Length > 1 << 20),
            TimeSpan.FromSeconds(30),
            "some of it has come");
        await Agent.KillAsync();

        Assert.Equal(6, (await snapshot).ExitCode);
        Assert.Equal(["key.txt"], Scratch.Names);
        await target.CheckAsync();
    }

    [Fact]
    public async Task Sealing_a_large_target_takes_bounded_memory_on_both_sides()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "384");
        AgeKey key = await Age.KeyAsync(Scratch.File("key.txt"));
        (await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "--seal-to", key.Recipient, "-o", SealedPath)).Checked();
        Assert.InRange(Agent.PeakResidentBytes, 1, 124 << 20);

        using System.Diagnostics.Process opening = Command.Begin(Artifacts.Cli, ["open", SealedPath, "-i", key.Path, "-o", CorePath]);
        long most = 0;
        while (!opening.HasExited)
        {
            most = Math.Max(most, Proc.StatusBytes(opening.Id, "VmHWM"));
            await Task.Delay(5);
        }

        Assert.Equal(0, opening.ExitCode);
        Assert.InRange(most, 1, 160 << 20);
        using CoreImage core = new(CorePath);
        core.AssertHolds(target.Range("private"));
    }

    private async Task AssertNoCoreAsync(byte[] file)
    {
        await File.WriteAllBytesAsync(Scratch.File("bad.age"), file);
        CommandResult result = await Cli.RunAsync((string?)null, "open", Scratch.File("bad.age"), "-i", Scratch.File("key.txt"));

        // 4 where the flipped bit makes a stanza that is well formed and for another key, which nobody can tell from a foreign file.
        Assert.Contains(result.ExitCode, (int[])[6, 4]);
        Assert.Equal("", result.Output);
        Assert.DoesNotContain(Scratch.Names, name => name.StartsWith("bad", StringComparison.Ordinal) && name != "bad.age");
        Assert.DoesNotContain(Scratch.Names, name => name.Contains("partial", StringComparison.Ordinal));
    }
}
