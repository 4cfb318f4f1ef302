using System.Net.Http.Headers;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Requests that cannot be granted: the right status, a reason, a text, and nothing left behind.</summary>
public sealed class BadInputTests : AgentTest
{
    private const uint MaxPid = 4_194_304;

    private static ProcessRef Ref(long pid, ulong start = 0) => new() { Pid = (uint)pid, StartTimeTicks = start };

    private async Task FailsEverywhereAsync(ProcessRef target, params StatusCode[] codes)
    {
        using GrpcChannel channel = Agent.Connect();
        SnapshotService.SnapshotServiceClient snapshots = new(channel);
        ControlService.ControlServiceClient control = new(channel);
        await RpcAssert.FailsAsync(() => CaptureStream.ReadAsync(channel, new CaptureRequest { Ref = target, Options = new CaptureOptions() }), codes);
        await RpcAssert.FailsAsync(async () => await snapshots.PlanAsync(new PlanRequest { Ref = target }), codes);
        await RpcAssert.FailsAsync(async () => await control.StopAsync(new StopRequest { Ref = target }), codes);
    }

    [Fact]
    public Task A_pid_that_nobody_has_is_not_found() => FailsEverywhereAsync(Ref(MaxPid - 1), StatusCode.NotFound);

    [Theory]
    [InlineData(0)]
    [InlineData(MaxPid + 1)]
    [InlineData(uint.MaxValue)]
    public Task A_pid_that_cannot_be_is_an_invalid_argument(long pid) => FailsEverywhereAsync(Ref(pid), StatusCode.InvalidArgument);

    [Fact]
    public async Task A_thread_id_is_an_invalid_argument()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "1");
        await FailsEverywhereAsync(Ref(target.Sleepers[0].Tid), StatusCode.InvalidArgument);
        await target.CheckAsync();
    }

    [Theory]
    [InlineData("supervisor")]
    [InlineData("front end")]
    public Task The_agents_own_pids_are_refused(string process) => FailsEverywhereAsync(
        Ref(process == "supervisor" ? Agent.Pid : Agent.FrontEndPid),
        StatusCode.InvalidArgument, StatusCode.FailedPrecondition, StatusCode.PermissionDenied);

    [Fact]
    public async Task A_kernel_thread_is_refused()
    {
        int[] threads = Proc.Children(2);
        if (threads.Length == 0)
        {
            return; // a container's pid namespace has none
        }

        await FailsEverywhereAsync(Ref(threads[0]), StatusCode.InvalidArgument, StatusCode.FailedPrecondition);
    }

    [Fact]
    public async Task A_zombie_is_refused()
    {
        // The shell's background job ends; the program that replaced the shell does not wait for it.
        using System.Diagnostics.Process parent = Command.Begin("sh", ["-c", "sleep 0 & exec cat"]);
        try
        {
            int zombie = 0;
            await Wait.UntilAsync(() => (zombie = Proc.Children(parent.Id).FirstOrDefault(pid => Proc.State(pid) == "Z")) != 0, Wait.Soon, "a zombie");
            await FailsEverywhereAsync(Ref(zombie), StatusCode.FailedPrecondition, StatusCode.NotFound);
        }
        finally
        {
            parent.StandardInput.Close();
            await parent.WaitForExitAsync();
        }
    }

    [Fact]
    public async Task Another_start_time_than_the_process_has_means_that_the_pid_was_reused()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        await FailsEverywhereAsync(Ref(target.Pid, target.StartTime - 1), StatusCode.Aborted);
        using GrpcChannel channel = Agent.Connect();
        await RpcAssert.FailsWithReasonAsync(
            async () => await new ProcessService.ProcessServiceClient(channel).GetProcessAsync(new GetProcessRequest { Ref = Ref(target.Pid, target.StartTime + 1) }),
            StatusCode.Aborted, "IDENTITY_CHANGED");
        await target.CheckAsync();
    }

    public static TheoryData<string, CaptureOptions, StatusCode> BadOptions => new()
    {
        { "unknown content", new CaptureOptions { Content = (Content)99 }, StatusCode.InvalidArgument },
        { "unknown strategy", new CaptureOptions { Strategy = (Strategy)99 }, StatusCode.InvalidArgument },
        { "unknown packing", new CaptureOptions { Compression = (Compression)99 }, StatusCode.InvalidArgument },
        { "precopy into a pipe", new CaptureOptions { Strategy = Strategy.Precopy, SinkCannotSeek = true }, StatusCode.FailedPrecondition },
        { "negative budget", new CaptureOptions { StopBudget = Duration.FromTimeSpan(TimeSpan.FromSeconds(-1)) }, StatusCode.InvalidArgument },
    };

    [Theory, MemberData(nameof(BadOptions))]
    public async Task Options_that_cannot_be_are_refused_before_the_target_is_touched(string what, CaptureOptions options, StatusCode code)
    {
        Assert.NotEmpty(what);
        using LiveProcess target = LiveProcess.Start("canary");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using GrpcChannel channel = Agent.Connect();
        await RpcAssert.FailsAsync(() => CaptureStream.ReadAsync(channel, new CaptureRequest { Ref = Ref(target.Pid), Options = options }), code);
        await before.AssertUnchangedAsync();
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_budget_that_the_capture_cannot_keep_is_refused()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "256");
        using GrpcChannel channel = Agent.Connect();
        CaptureRequest request = CaptureStream.Request(target, Strategy.Direct);
        request.Options.StopBudget = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1));
        string reason = await RpcAssert.FailsAsync(() => CaptureStream.ReadAsync(channel, request), StatusCode.FailedPrecondition, StatusCode.DeadlineExceeded);
        Assert.Equal("STOP_BUDGET", reason);
        await target.CheckAsync();
    }

    [Fact]
    public async Task A_request_with_neither_target_nor_lease_or_with_both_is_an_invalid_argument()
    {
        using GrpcChannel channel = Agent.Connect();
        await RpcAssert.FailsAsync(() => CaptureStream.ReadAsync(channel, new CaptureRequest()), StatusCode.InvalidArgument);
        await RpcAssert.FailsAsync(() => CaptureStream.ReadAsync(channel, new CaptureRequest { Ref = Ref(1), LeaseId = "x" }), StatusCode.InvalidArgument);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff })]
    [InlineData(new byte[] { 0, 0, 0, 0, 9, 1, 2, 3 })]
    [InlineData(new byte[] { 0, 0x7f, 0xff, 0xff, 0xff, 1 })]
    public async Task Malformed_and_oversized_frames_are_refused_and_the_agent_serves_on(byte[] frame)
    {
        using (HttpClient http = new(new SocketsHttpHandler { ConnectCallback = async (_, cancellation) => await ConnectAsync(cancellation) }))
        {
            using HttpRequestMessage request = new(HttpMethod.Post, "http://localhost/corelift.v1.SnapshotService/Plan")
            {
                Version = new Version(2, 0),
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new ByteArrayContent(frame),
            };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
            request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
            using HttpResponseMessage response = await http.SendAsync(request);
            await response.Content.ReadAsByteArrayAsync();
            IEnumerable<string> status = response.TrailingHeaders.TryGetValues("grpc-status", out IEnumerable<string>? late)
                ? late
                : response.Headers.GetValues("grpc-status");
            Assert.NotEqual("0", Assert.Single(status));
        }

        ExpectedErrors = "."; // the server may call a broken frame an error in its log
        using LiveProcess target = LiveProcess.Start("canary");
        await SnapshotAsync(target, "fork");
    }

    [Fact]
    public async Task Too_many_pids_and_page_tokens_of_fantasy_are_invalid_arguments()
    {
        using GrpcChannel channel = Agent.Connect();
        ProcessService.ProcessServiceClient processes = new(channel);
        ListProcessesRequest many = new();
        many.Pids.AddRange(Enumerable.Range(1, 1001).Select(pid => (uint)pid));
        await RpcAssert.FailsAsync(async () => await processes.ListProcessesAsync(many), StatusCode.InvalidArgument);
        await RpcAssert.FailsAsync(async () => await processes.ListProcessesAsync(new ListProcessesRequest { PageToken = "fantasy" }), StatusCode.InvalidArgument);
        await RpcAssert.FailsAsync(async () => await processes.ListProcessesAsync(new ListProcessesRequest { ContainerId = "xyz" }), StatusCode.InvalidArgument);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_full_disk_is_a_clear_error_and_leaves_no_file(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64");
        using ScratchFolder mount = new();
        (await Command.RunAsync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", mount.Path])).Checked();
        try
        {
            CommandResult result = await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", mount.File("x.core"), "--strategy", strategy);
            Assert.NotEqual(0, result.ExitCode);
            Assert.Contains("space", result.Errors, StringComparison.OrdinalIgnoreCase);
            Assert.Empty(mount.Names);
        }
        finally
        {
            (await Command.RunAsync("umount", [mount.Path])).Checked();
        }

        await target.CheckAsync();
        Assert.Equal("0", target.Status("TracerPid"));
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_a_clear_error_before_the_target_is_stopped()
    {
        using LiveProcess target = LiveProcess.Start("spinner");
        CommandResult result = await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", Scratch.File("nowhere/x.core"));
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("nowhere", result.Errors, StringComparison.Ordinal);
        Assert.Empty(Scratch.Names);
        await target.CheckAsync();
    }

    [Fact]
    public async Task Without_an_agent_the_client_says_where_it_looked()
    {
        string nobody = "unix:" + Scratch.File("nobody.sock");
        CommandResult result = await Cli.RunAsync(nobody, "ps");
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("nobody.sock", result.Errors, StringComparison.Ordinal);
    }

    private async Task<Stream> ConnectAsync(CancellationToken cancellation)
    {
        System.Net.Sockets.Socket socket = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(Agent.SocketPath), cancellation);
        return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
    }
}
