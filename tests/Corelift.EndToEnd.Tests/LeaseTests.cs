using System.Buffers.Binary;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Stopping under a lease, looking at the target, and every way in which the lease ends.</summary>
public sealed class LeaseTests : AgentTest
{
    private static readonly TimeSpan s_bound = Wait.Soon;

    private static bool IsHeld(LiveProcess target) => Proc.Tasks(target.Pid).All(tid => Proc.State(target.Pid, tid) == "t");

    private static bool RunsOn(LiveProcess target) =>
        Proc.Tasks(target.Pid).All(tid => Proc.State(target.Pid, tid) is "R" or "S" or "D" && Proc.Status(target.Pid, "TracerPid", tid) == "0");

    [Fact]
    public async Task A_stopped_target_is_held_until_its_resume()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "4");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        StopResponse lease = await StopAsync(channel, target, 20);

        Assert.True(IsHeld(target));
        Assert.Equal(5u, lease.ThreadCount);
        Assert.False(lease.WasGroupStopped);
        Assert.True(lease.LeaseId.Length >= 16, "unguessable");
        ControlService.ControlServiceClient control = new(channel);
        ResumeResponse resumed = await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        Assert.True(resumed.StoppedFor.ToTimeSpan() > TimeSpan.Zero);
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
        await RpcAssert.FailsAsync(async () => await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId }), StatusCode.NotFound);
        await RpcAssert.FailsAsync(async () => await control.KeepAliveAsync(new KeepAliveRequest { LeaseId = lease.LeaseId }), StatusCode.NotFound);
    }

    [Fact]
    public async Task Registers_of_a_stopped_target_are_what_it_knows_of_itself()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "4");
        using GrpcChannel channel = Agent.Connect();
        StopResponse lease = await StopAsync(channel, target, 20);
        ControlService.ControlServiceClient control = new(channel);
        Dictionary<uint, StoppedThread> threads = [];
        using AsyncServerStreamingCall<GetRegistersResponse> call = control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId });
        await foreach (GetRegistersResponse message in call.ResponseStream.ReadAllAsync())
        {
            message.Threads.ToList().ForEach(thread => threads.Add(thread.Tid, thread));
        }

        Assert.Equal(5, threads.Count);
        foreach (Sleeper sleeper in target.Sleepers)
        {
            byte[] general = threads[(uint)sleeper.Tid].RegisterSets.Single(set => set.NoteType == 1).Data.ToByteArray();
            ulong[] words = [.. Enumerable.Range(0, general.Length / 8).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(general.AsSpan(8 * i)))];
            ulong tid = (ulong)sleeper.Tid;
            // user_regs_struct: r15, r14, r13, r12, rbp, rbx ...
            Assert.Equal([TraceeMemory.Word(tid, 4), TraceeMemory.Word(tid, 3), TraceeMemory.Word(tid, 2), TraceeMemory.Word(tid, 1)], words[..4]);
            Assert.Equal(TraceeMemory.Word(tid), words[5]);
        }

        await RpcAssert.FailsAsync(
            async () =>
            {
                using AsyncServerStreamingCall<GetRegistersResponse> stranger =
                    control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId, Tids = { 1 } });
                await stranger.ResponseStream.MoveNext(CancellationToken.None);
            },
            StatusCode.NotFound);
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
    }

    [Fact]
    public async Task Memory_of_a_stopped_target_is_exact_and_holes_are_holes()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "8");
        using GrpcChannel channel = Agent.Connect();
        StopResponse lease = await StopAsync(channel, target, 20);
        AddressSpan range = target.Range("private");
        ReadMemoryRequest request = new() { LeaseId = lease.LeaseId };
        request.Ranges.Add(new AddressRange { Start = range.Start + 8, End = range.End - 8 }); // need not be page-aligned
        request.Ranges.Add(new AddressRange { Start = 0x1000, End = 0x3000 });
        ulong next = range.Start + 8;
        List<Hole> holes = [];
        ControlService.ControlServiceClient control = new(channel);
        using AsyncServerStreamingCall<ReadMemoryResponse> call = control.ReadMemory(request);
        await foreach (ReadMemoryResponse part in call.ResponseStream.ReadAllAsync())
        {
            if (part.Hole is not null)
            {
                holes.Add(part.Hole);
                continue;
            }

            Assert.Equal(next, part.Chunk.Address);
            Assert.Equal(-1, TraceeMemory.FirstDifference(part.Chunk.Data.Span, next));
            next += part.Chunk.LengthBytes;
        }

        Assert.Equal(range.End - 8, next);
        Assert.Equal((0x1000ul, 0x3000ul), (holes[0].Range.Start, holes[^1].Range.End));
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
    }

    [Theory]
    [InlineData(20ul, 10ul)]
    [InlineData(0ul, 1ul << 41)]
    public async Task Ranges_that_cannot_be_read_are_invalid_arguments(ulong start, ulong end)
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel channel = Agent.Connect();
        StopResponse lease = await StopAsync(channel, target, 20);
        ControlService.ControlServiceClient control = new(channel);
        ReadMemoryRequest request = new() { LeaseId = lease.LeaseId, Ranges = { new AddressRange { Start = start, End = end } } };
        await RpcAssert.FailsAsync(
            async () =>
            {
                using AsyncServerStreamingCall<ReadMemoryResponse> call = control.ReadMemory(request);
                await call.ResponseStream.MoveNext(CancellationToken.None);
            },
            StatusCode.InvalidArgument);
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
    }

    [Fact]
    public async Task Stopped_target_runs_on_after_the_lease_ran_out()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "4");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        StopResponse lease = await StopAsync(channel, target, 1);
        Assert.True(IsHeld(target));

        await Wait.UntilAsync(() => RunsOn(target), s_bound, "resume after the lease ran out");
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
        await RpcAssert.FailsAsync(
            async () => await new ControlService.ControlServiceClient(channel).ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId }), StatusCode.NotFound);
    }

    [Fact]
    public async Task Keep_alive_holds_the_target_beyond_its_first_time_to_live()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        using GrpcChannel channel = Agent.Connect();
        ControlService.ControlServiceClient control = new(channel);
        StopResponse lease = await StopAsync(channel, target, 1);
        long start = Environment.TickCount64;
        await Wait.UntilAsync(
            async () =>
            {
                await control.KeepAliveAsync(new KeepAliveRequest { LeaseId = lease.LeaseId });
                Assert.True(IsHeld(target));
                return Environment.TickCount64 - start > 2500;
            },
            s_bound,
            () => "two and a half lives");
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await Wait.UntilAsync(() => RunsOn(target), s_bound, "resume");
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_broken_connection_resumes_the_target_where_that_was_asked_for()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        using (GrpcChannel channel = Agent.Connect())
        {
            await StopAsync(channel, target, 25, resumeOnDisconnect: true);
            Assert.True(IsHeld(target));
        }

        await Wait.UntilAsync(() => RunsOn(target), s_bound, "resume after the connection broke");
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_broken_connection_leaves_the_lease_alone_where_it_was_not()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        StopResponse lease;
        using (GrpcChannel channel = Agent.Connect())
        {
            lease = await StopAsync(channel, target, 25);
        }

        using GrpcChannel other = Agent.Connect();
        ControlService.ControlServiceClient control = new(other);
        await control.KeepAliveAsync(new KeepAliveRequest { LeaseId = lease.LeaseId });
        Assert.True(IsHeld(target));
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_capture_under_a_lease_leaves_the_target_stopped()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2", "--mib", "4");
        using GrpcChannel channel = Agent.Connect();
        StopResponse lease = await StopAsync(channel, target, 25);
        CaptureStream stream = await CaptureStream.ReadAsync(channel, new CaptureRequest { LeaseId = lease.LeaseId, Options = new CaptureOptions() });

        Assert.Equal(Strategy.Direct, stream.Instant.Strategy);
        Assert.Null(stream.Instant.Pause);
        Assert.Equal(3, stream.Threads.Count);
        Assert.True(IsHeld(target));
        await new ControlService.ControlServiceClient(channel).ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
    }

    [Fact]
    public async Task Blocked_calls_survive_a_lease()
    {
        using LiveProcess target = LiveProcess.Start("blocking");
        using GrpcChannel channel = Agent.Connect();
        StopResponse lease = await StopAsync(channel, target, 20);
        await new ControlService.ControlServiceClient(channel).ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
        await target.CheckAsync("wake");
    }

    [Theory]
    [InlineData(-1)]
    public async Task A_negative_time_to_live_is_an_invalid_argument(double seconds)
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel channel = Agent.Connect();
        await RpcAssert.FailsAsync(() => StopAsync(channel, target, seconds), StatusCode.InvalidArgument);
        await target.CheckAsync();
    }
}
