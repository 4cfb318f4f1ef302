#pragma warning disable CA1001 // xunit calls DisposeAsync of IAsyncLifetime.
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Corelift.EndToEnd.Tests.Split;

/// <summary>A front end that somebody has taken over, on the supervisor's socket: nothing is done for it that is not on the list.</summary>
public sealed class SupervisorAbuseTests : IAsyncLifetime
{
    private const int Stop = 2, Restore = 5, BadRequest = 1, TooMany = 2, TargetGone = 3, OwnProcess = 4;
    private const int NotPermitted = 1, NoSuchFile = 2, NoSuchTask = 3, InvalidArgument = 22;
    private const int Maps = 1, DescriptorFacts = 5, MappedFile = 6, NamespaceLink = 8, WaitChannel = 9;
    private static readonly TimeSpan s_bound = Wait.Soon;

    private readonly SplitAgent _agent = new();
    private LiveProcess _target = null!;
    private TargetBaseline _before = null!;

    public async Task InitializeAsync()
    {
        _target = LiveProcess.Start("canary", "--threads", "2");
        _before = TargetBaseline.Take(_target.Pid);
        await _agent.StartSupervisorAsync(0, "--max-captures", "1", "--max-stop-budget", "2s", "--max-hold", "30s");
    }

    /// <summary>Whatever was tried, the supervisor serves on, holds nobody, and the target is as it was.</summary>
    public async Task DisposeAsync()
    {
        await Wait.UntilAsync(() => _agent.Workers.Length == 0, s_bound, "no worker left");
        using (RawSupervisorClient next = await ConnectAsync())
        {
            Assert.False(_agent.Supervisor.HasExited, _agent.Log);
        }

        await _before.AssertUnchangedAsync();
        await _target.CheckAsync();
        _target.Dispose();
        await _agent.DisposeAsync();
    }

    [Fact]
    public async Task What_is_no_request_ends_the_connection_and_nothing_else()
    {
        byte[] sound = RawSupervisorClient.Start(1, Stop, _target.Pid, _target.StartTime);
        byte[][] messages =
        [
            [1], RandomNumberGenerator.GetBytes(RawSupervisorClient.RequestBytes - 1), RandomNumberGenerator.GetBytes(RawSupervisorClient.RequestBytes + 1), RandomNumberGenerator.GetBytes(60_000), new byte[RawSupervisorClient.RequestBytes],
            sound[..40], [.. sound, 0], RawSupervisorClient.Request(0, 1), RawSupervisorClient.Request(4, 1), RawSupervisorClient.Request(-1, 1),
            RawSupervisorClient.Request(3, 0), RawSupervisorClient.Request(2, -5), RawSupervisorClient.Request(int.MaxValue, int.MaxValue),
        ];
        foreach (byte[] message in messages)
        {
            using RawSupervisorClient client = await ConnectAsync();
            _ = client.Send(message);
            Assert.Empty(client.Receive(out _));
        }
    }

    [Fact]
    public async Task Random_requests_of_the_right_size_do_nothing_to_anybody()
    {
        for (int round = 0; round < 200; round++)
        {
            using RawSupervisorClient client = await ConnectAsync();
            byte[] request = RandomNumberGenerator.GetBytes(RawSupervisorClient.RequestBytes);
            int verb = 1 + (round % 3);
            RawSupervisorClient.Put(request, 0, verb, 1 + round);
            Assert.True(verb != 2 || client.Send(request)); // a kill has no answer, and nobody has that worker
            (int kind, int refusal, SafeFileHandle? descriptor) = client.Ask(verb == 2 ? RawSupervisorClient.Request(3, 1) : request);
            Assert.Equal(verb == 1 ? (RawSupervisorClient.WorkerRefused, BadRequest) : (RawSupervisorClient.FilesOpened, 0), (kind, refusal));
            descriptor?.Dispose();
        }

        Assert.Empty(_agent.Workers);
    }

    [Fact]
    public async Task Workers_are_refused_for_what_no_front_end_of_ours_asks()
    {
        using RawSupervisorClient client = await ConnectAsync();
        int number = 0;
        (string Why, int Refusal, Action<byte[]> Change)[] cases =
        [
            ("the supervisor's own task", BadRequest, request => RawSupervisorClient.Put(request, 8, Restore)),
            ("no task", BadRequest, request => RawSupervisorClient.Put(request, 8, 0)),
            ("an unknown task", BadRequest, request => RawSupervisorClient.Put(request, 8, 99)),
            ("no pid", BadRequest, request => RawSupervisorClient.Put(request, 12, 0)),
            ("a negative pid", BadRequest, request => RawSupervisorClient.Put(request, 12, -1)),
            ("no start time", BadRequest, request => RawSupervisorClient.Put(request, 16, 0, 0)),
            ("an unknown strategy", BadRequest, request => RawSupervisorClient.Put(request, 24, 77)),
            ("an unknown content", BadRequest, request => RawSupervisorClient.Put(request, 28, -3)),
            ("no stop budget", BadRequest, request => RawSupervisorClient.Put(request, 32, 0, 0)),
            ("a stop budget above the limit", BadRequest, request => RawSupervisorClient.Put(request, 32, 0, 1)),
            ("a hold above the limit", BadRequest, request => RawSupervisorClient.Put(request, 40, 0, 100)),
            ("a negative spool", BadRequest, request => RawSupervisorClient.Put(request, 56, -1, -1)),
            ("a flag that is none", BadRequest, request => RawSupervisorClient.Put(request, 80, 2)),
            ("another start time", TargetGone, request => RawSupervisorClient.Put(request, 16, 1, 0)),
            ("the supervisor itself", OwnProcess, request => Name(request, _agent.Supervisor.Id)),
            ("the front end", OwnProcess, request => Name(request, Environment.ProcessId)),
            ("the first process, an ancestor", OwnProcess, request => Name(request, 1)),
        ];
        foreach ((string why, int refusal, Action<byte[]> change) in cases)
        {
            byte[] request = RawSupervisorClient.Start(++number, Stop, _target.Pid, _target.StartTime);
            change(request);
            (int kind, int said, _) = client.Ask(request);
            Assert.Equal((why, RawSupervisorClient.WorkerRefused, refusal), (why, kind, said));
        }

        Assert.Empty(_agent.Workers);
    }

    [Fact]
    public async Task More_workers_than_allowed_are_refused_and_all_end_with_the_connection()
    {
        const int Most = 10; // of one capture at once
        LiveProcess[] targets = [.. Enumerable.Range(0, Most + 1).Select(_ => LiveProcess.Start("canary", "--threads", "1"))];
        try
        {
            using (RawSupervisorClient client = await ConnectAsync())
            {
                List<SafeFileHandle?> sockets = [];
                for (int i = 0; i < Most; i++)
                {
                    (int kind, _, SafeFileHandle? socket) = client.Ask(RawSupervisorClient.Start(i + 1, Stop, targets[i].Pid, targets[i].StartTime));
                    Assert.Equal(RawSupervisorClient.WorkerStarted, kind);
                    sockets.Add(socket);
                }

                (int last, int refusal, _) = client.Ask(RawSupervisorClient.Start(99, Stop, targets[Most].Pid, targets[Most].StartTime));
                Assert.Equal((RawSupervisorClient.WorkerRefused, TooMany), (last, refusal));
                await Wait.UntilAsync(() => targets[..Most].All(target => Proc.Status(target.Pid, "TracerPid") != "0"), s_bound, "ten stopped");
                sockets.ForEach(socket => socket?.Dispose());
            }

            foreach (LiveProcess target in targets)
            {
                await Wait.UntilAsync(() => Proc.Status(target.Pid, "TracerPid") == "0" && Proc.State(target.Pid) != "t", s_bound, "it runs");
                await target.CheckAsync();
            }
        }
        finally
        {
            Array.ForEach(targets, target => target.Dispose());
        }
    }

    [Fact]
    public async Task Files_are_those_of_the_list_and_no_other()
    {
        using RawSupervisorClient client = await ConnectAsync();
        using RawSupervisorClient files = client.OpenFiles(1);
        (int pid, ulong start) = (_target.Pid, _target.StartTime);
        byte[] At(string path) => RawSupervisorClient.File(MappedFile, pid, pid, start, 0, path);

        (string Why, int Errno, byte[] Request)[] refused =
        [
            ("number 0", InvalidArgument, RawSupervisorClient.File(0, pid, pid, start)),
            ("after the last", InvalidArgument, RawSupervisorClient.File(11, pid, pid, start)),
            ("negative", InvalidArgument, RawSupervisorClient.File(-1, pid, pid, start)),
            ("mem as a mapped file", InvalidArgument, At("mem")),
            ("environ by a way up", InvalidArgument, At("/../environ")),
            ("a way up", InvalidArgument, At("/usr/../etc/shadow")),
            ("a relative way up", InvalidArgument, At("../../etc/shadow")),
            ("a doubled slash", InvalidArgument, At("//etc/shadow")),
            ("no path", InvalidArgument, At("")),
            ("a zero byte", InvalidArgument, At("/etc/shadow\0x")),
            ("too long a path", InvalidArgument, Long(pid, start)),
            ("a file that it does not map", NotPermitted, At("/etc/passwd")),
            ("a device", NotPermitted, At("/dev/zero")),
            ("a directory", NotPermitted, At("/etc")),
            ("a file that is not there", NoSuchFile, At("/no/such/file")),
            ("a descriptor below 0", InvalidArgument, RawSupervisorClient.File(DescriptorFacts, pid, pid, start, -1)),
            ("a namespace that is none", InvalidArgument, RawSupervisorClient.File(NamespaceLink, pid, pid, start, 8)),
            ("a task below 0", InvalidArgument, RawSupervisorClient.File(WaitChannel, pid, pid, start, -7)),
            ("another start time", NoSuchTask, RawSupervisorClient.File(Maps, pid, pid, start + 1)),
            ("no start time", InvalidArgument, RawSupervisorClient.File(Maps, pid, pid, 0)),
            ("no process", InvalidArgument, RawSupervisorClient.File(Maps, 0, 0, start)),
            ("a task of another process", NoSuchFile, RawSupervisorClient.File(Maps, pid, Environment.ProcessId, start)),
        ];
        foreach ((string why, int errno, byte[] request) in refused)
        {
            (int answer, SafeFileHandle? descriptor, _) = files.AskFile(request);
            Assert.Equal((why, errno, true), (why, answer, descriptor is null));
        }

        (int sound, SafeFileHandle? maps, _) = files.AskFile(RawSupervisorClient.File(Maps, pid, pid, start));
        Assert.Equal((0, false), (sound, maps is null));
        Assert.Equal($"/proc/{pid}/maps", new FileInfo($"/proc/self/fd/{maps!.DangerousGetHandle()}").LinkTarget);
        maps.Dispose();
        (sound, SafeFileHandle? mapped, _) = files.AskFile(At(_target.Executable));
        Assert.Equal((0, false), (sound, mapped is null));
        mapped!.Dispose();
    }

    [Fact]
    public async Task A_broken_question_for_a_file_ends_the_whole_connection()
    {
        foreach (int length in (int[])[1, 100, 4127, 4129, 60_000])
        {
            using RawSupervisorClient client = await ConnectAsync();
            using RawSupervisorClient files = client.OpenFiles(1);
            Assert.Equal(-1, files.AskFile(RandomNumberGenerator.GetBytes(length)).Errno);
            Assert.Empty(client.Receive(out _));
        }
    }

    private static byte[] Long(int pid, ulong start)
    {
        byte[] request = RawSupervisorClient.File(MappedFile, pid, pid, start, 0, "/" + new string('x', 4000));
        RawSupervisorClient.Put(request, 28, int.MaxValue);
        return request;
    }

    private static void Name(byte[] request, int pid)
    {
        ulong start = Proc.StartTime(pid);
        RawSupervisorClient.Put(request, 12, pid, (int)start, (int)(start >> 32));
    }

    /// <summary>Connects as the front end; the one before may be ending still.</summary>
    private async Task<RawSupervisorClient> ConnectAsync()
    {
        RawSupervisorClient? client = null;
        await Wait.UntilAsync(
            () =>
            {
                client = RawSupervisorClient.Connect(_agent.SupervisorPath, out int kind);
                if (kind != RawSupervisorClient.Welcome)
                {
                    client.Dispose();
                }

                return Task.FromResult(kind == RawSupervisorClient.Welcome);
            },
            s_bound,
            () => "the supervisor free; it said:\n" + _agent.Log);
        return client!;
    }
}
