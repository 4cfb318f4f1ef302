using Corelift.Client.Tests.Scripted;
using Corelift.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Corelift.Cli.Tests;

/// <summary>stop, resume, and what can be asked in between.</summary>
public sealed class LeaseCommandTests
{
    [Fact]
    public async Task Stop_prints_the_lease_and_leaves_the_target_stopped()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        (List<StopRequest> stops, List<string> resumes) = Leases(agent);

        CliRun text = await CliRun.AgainstAsync(agent, "stop", "7", "--ttl", "10s");
        CliRun json = await CliRun.AgainstAsync(agent, "stop", "7", "--json");

        Assert.Contains("lease lease-1", text.Output, StringComparison.Ordinal);
        Assert.Equal("lease-1", json.Json.GetProperty("lease").GetString());
        Assert.Equal(TimeSpan.FromSeconds(10), stops[0].TimeToLive.ToTimeSpan());
        Assert.False(stops[0].ResumeOnDisconnect);
        Assert.Empty(resumes);
    }

    [Fact]
    public async Task Stop_with_hold_keeps_alive_and_resumes_when_interrupted()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        (List<StopRequest> stops, List<string> resumes) = Leases(agent);
        using CancellationTokenSource interrupt = new();
        agent.Script.KeepAlive = _ =>
        {
            interrupt.Cancel();
            return new KeepAliveResponse { TimeToLive = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(30)) };
        };

        CliRun run = await CliRun.RunAsync(["stop", "7", "--hold", "--agent", agent.Address], false, interrupt.Token);

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("resumed after 3.00 s", run.Errors, StringComparison.Ordinal);
        Assert.True(stops[0].ResumeOnDisconnect);
        Assert.Equal(["lease-1"], resumes);
    }

    [Fact]
    public async Task Resume_says_how_long_it_was_stopped()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        Leases(agent);

        Assert.Equal("resumed after 3.00 s\n", (await CliRun.AgainstAsync(agent, "resume", "lease-1")).Output);
        Assert.Equal(3_000_000, (await CliRun.AgainstAsync(agent, "resume", "lease-1", "--json")).Json.GetProperty("stopped_for_us").GetInt64());
    }

    [Fact]
    public async Task Threads_of_a_lease_come_with_their_registers()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        byte[] registers = new byte[216];
        registers[16 * 8] = 0xad; // rip
        registers[(16 * 8) + 1] = 0xde;
        StoppedThread thread = SyntheticCapture.NewThread(7);
        thread.RegisterSets[0].Data = ByteString.CopyFrom(registers);
        agent.Script.GetRegisters = _ => [new GetRegistersResponse { Threads = { thread, new StoppedThread { Tid = 8 } } }];

        CliRun text = await CliRun.AgainstAsync(agent, "threads", "--lease", "lease-1");
        CliRun json = await CliRun.AgainstAsync(agent, "threads", "--lease", "lease-1", "--json");

        Assert.Contains("0xdead", text.Output, StringComparison.Ordinal);
        Assert.Contains("general fp", text.Output, StringComparison.Ordinal);
        Assert.Equal("0xdead", json.Json.GetProperty("threads")[0].GetProperty("registers").GetProperty("rip").GetString());
    }

    [Fact]
    public async Task Read_dumps_bytes_zeros_and_holes()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.ReadMemory = _ =>
        [
            new ReadMemoryResponse { Chunk = new MemoryChunk { Address = 0x1004, LengthBytes = 5, Data = ByteString.CopyFromUtf8("hello") } },
            new ReadMemoryResponse { Hole = new Hole { Range = SyntheticCapture.Range(0x1060, 0x10), Reason = HoleReason.Unreadable } },
        ];

        CliRun run = await CliRun.AgainstAsync(agent, "read", "--lease", "lease-1", "0x1000", "0x80");

        Assert.Equal(
            """
            0000000000001000  00 00 00 00 68 65 6c 6c  6f 00 00 00 00 00 00 00  |....hello.......|
            0000000000001010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
            *
            0000000000001060  cannot be read up to 0000000000001070: Unreadable
            0000000000001070  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
            0000000000001080

            """,
            run.Output);
    }

    [Fact]
    public async Task Read_writes_a_new_private_file_or_none()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.ReadMemory = _ =>
            [new ReadMemoryResponse { Chunk = new MemoryChunk { Address = 0x1004, LengthBytes = 5, Data = ByteString.CopyFromUtf8("hello") } }];
        string[] arguments = ["read", "--lease", "lease-1", "0x1000", "16", "-o"];

        Assert.Equal(0, (await CliRun.AgainstAsync(agent, [.. arguments, agent.File("x")])).ExitCode);
        Assert.Equal("\0\0\0\0hello\0\0\0\0\0\0\0", await File.ReadAllTextAsync(agent.File("x")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(agent.File("x")));
        Assert.Equal(1, (await CliRun.AgainstAsync(agent, [.. arguments, agent.File("x")])).ExitCode);
        Assert.Equal(16, (await CliRun.AgainstAsync(agent, [.. arguments, "-"])).OutputBytes.Length);

        agent.Script.ReadMemory = _ => [new ReadMemoryResponse { Hole = new Hole { Range = SyntheticCapture.Range(0x1000, 16) } }];
        Assert.Equal(1, (await CliRun.AgainstAsync(agent, [.. arguments, agent.File("y")])).ExitCode);
        Assert.Equal(["x"], agent.FilesLeft());
    }

    [Fact]
    public async Task Read_refuses_memory_that_was_not_asked_for()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        foreach (ReadMemoryResponse answer in new ReadMemoryResponse[]
        {
            new() { Chunk = new MemoryChunk { Address = 0x2000, LengthBytes = 1, Data = ByteString.CopyFromUtf8("x") } },
            new() { Chunk = new MemoryChunk { Address = ulong.MaxValue, LengthBytes = 1, Data = ByteString.CopyFromUtf8("x") } },
            new() { Chunk = new MemoryChunk { Address = 0x1000, LengthBytes = uint.MaxValue, Data = ByteString.CopyFromUtf8("x") } },
            new() { Hole = new Hole() },
            new(),
        })
        {
            agent.Script.ReadMemory = _ => [answer];
            CliRun run = await CliRun.AgainstAsync(agent, "read", "--lease", "lease-1", "0x1000", "16");
            Assert.Equal(6, run.ExitCode);
        }
    }

    private static (List<StopRequest> Stops, List<string> Resumes) Leases(ScriptedAgent agent)
    {
        List<StopRequest> stops = [];
        List<string> resumes = [];
        agent.Script.Stop = request =>
        {
            stops.Add(request);
            return new StopResponse
            {
                LeaseId = "lease-1",
                Ref = request.Ref,
                ThreadCount = 2,
                TimeToLive = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(30)),
                MaxHold = Duration.FromTimeSpan(TimeSpan.FromSeconds(60)),
            };
        };
        agent.Script.Resume = request =>
        {
            resumes.Add(request.LeaseId);
            return new ResumeResponse { StoppedFor = Duration.FromTimeSpan(TimeSpan.FromSeconds(3)) };
        };
        return (stops, resumes);
    }
}
