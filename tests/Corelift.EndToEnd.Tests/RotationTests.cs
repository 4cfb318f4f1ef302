using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Certificates are renewed and run out while calls are made.</summary>
public sealed class RotationTests
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Certificates_and_CAs_rotate_under_load_without_a_failed_call()
    {
        await using TlsAgent agent = await TlsAgent.StartAsync("--allow-authenticated");
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "64", "--threads", "2");
        using GrpcChannel channel = agent.Connect(agent.Ca.IssueClient());
        CaptureRequest request = CaptureStream.Request(target, Strategy.Fork);
        request.Options.RateLimitBytesPerSecond = 8 << 20; // for eight seconds, over all of the rotations
        Task<CaptureStream> capture = CaptureStream.ReadAsync(channel, request);

        using TestCa next = new("Next CA");
        int calls = 0;
        for (int rotation = 1; rotation <= 5; rotation++)
        {
            // A bundle of two CAs, as while one replaces the other; clients of both get in.
            string marker = $"CN=agent-{rotation}";
            int taken = Count(agent, "TLS certificate of");
            await File.WriteAllTextAsync(agent.ClientCaFile, rotation % 2 == 0 ? agent.Ca.Pem : agent.Ca.Pem + "\n" + next.Pem);
            agent.Ca.IssueServer().WriteTo(agent.CertificateFile, agent.KeyFile);
            long until = Environment.TickCount64 + 10_000;
            int after = 0;
            while (after < 3 && Environment.TickCount64 < until)
            {
                using GrpcChannel fresh = agent.Connect(agent.Ca.IssueClient(marker));
                Assert.NotEmpty((await new ProcessService.ProcessServiceClient(fresh).ListProcessesAsync(new ListProcessesRequest { PageSize = 1 })).Processes);
                calls++;
                after += Count(agent, "TLS certificate of") > taken ? 1 : 0;
            }

            Assert.True(after >= 3, $"rotation {rotation} was not taken; the agent said:\n{agent.Agent.Log}");
        }

        using (GrpcChannel ofNext = agent.Connect(next.IssueClient()))
        {
            Assert.NotEmpty((await new ProcessService.ProcessServiceClient(ofNext).ListProcessesAsync(new ListProcessesRequest { PageSize = 1 })).Processes);
        }

        Assert.NotNull((await capture).Trailer);
        Assert.True(calls >= 15);
        await target.CheckAsync();
        agent.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task Files_that_do_not_go_together_change_nothing_until_they_do()
    {
        await using TlsAgent agent = await TlsAgent.StartAsync("--allow-authenticated");
        TestCertificate renewed = agent.Ca.IssueServer();
        await File.WriteAllTextAsync(agent.KeyFile, renewed.Key);
        await Wait.UntilAsync(() => agent.Agent.Log.Contains("is not the key of the certificate", StringComparison.Ordinal), s_bound, "a line in the log");
        using (GrpcChannel channel = agent.Connect(agent.Ca.IssueClient()))
        {
            Assert.NotEmpty((await new ProcessService.ProcessServiceClient(channel).ListProcessesAsync(new ListProcessesRequest())).Processes);
        }

        int taken = Count(agent, "TLS certificate of");
        await File.WriteAllTextAsync(agent.CertificateFile, renewed.Pem);
        await Wait.UntilAsync(() => Count(agent, "TLS certificate of") > taken, s_bound, "the pair is taken");
        agent.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task An_expired_identity_ends_its_streams_and_its_lease_and_a_renewed_one_goes_on()
    {
        await using TlsAgent agent = await TlsAgent.StartAsync("--allow-authenticated");
        using LiveProcess held = LiveProcess.Start("canary", "--threads", "2");
        using LiveProcess kept = LiveProcess.Start("canary", "--threads", "2");
        using LiveProcess captured = LiveProcess.Start("canary", "--mib", "64", "--threads", "2");
        TestCertificate brief = agent.Ca.IssueClient("CN=brief", TimeSpan.FromSeconds(6));
        using GrpcChannel channel = agent.Connect(brief);
        using GrpcChannel renewed = agent.Connect(agent.Ca.IssueClient("CN=brief"));
        await StopAsync(channel, held);
        StopResponse second = await StopAsync(channel, kept);
        await new ControlService.ControlServiceClient(renewed).KeepAliveAsync(new KeepAliveRequest { LeaseId = second.LeaseId });
        CaptureRequest request = CaptureStream.Request(captured, Strategy.Fork);
        request.Options.RateLimitBytesPerSecond = 1 << 20;
        RpcException end = await Assert.ThrowsAsync<RpcException>(() => CaptureStream.ReadAsync(channel, request));

        Assert.Equal(StatusCode.Unauthenticated, end.StatusCode);
        Assert.Contains("CN=brief has expired", end.Status.Detail, StringComparison.Ordinal);
        Assert.InRange(DateTimeOffset.UtcNow - brief.NotAfter, TimeSpan.FromSeconds(-0.5), Wait.Soon);
        await Wait.UntilAsync(() => Proc.Status(held.Pid, "TracerPid") == "0", s_bound, "the lease of the expired one ended");
        await Wait.UntilAsync(() => Proc.Status(captured.Pid, "TracerPid") == "0", s_bound, "the capture let go");
        Assert.NotEqual("0", Proc.Status(kept.Pid, "TracerPid")); // somebody whose time has not come spoke for it
        await new ControlService.ControlServiceClient(renewed).ResumeAsync(new ResumeRequest { LeaseId = second.LeaseId });

        RpcException late = await Assert.ThrowsAsync<RpcException>(async () => await new ProcessService.ProcessServiceClient(channel).ListProcessesAsync(new ListProcessesRequest()));
        Assert.True(late.StatusCode is StatusCode.Unauthenticated or StatusCode.Unavailable or StatusCode.Internal, late.ToString());
        await held.CheckAsync();
        await kept.CheckAsync();
        await captured.CheckAsync();
        agent.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task A_client_that_renews_its_certificate_goes_on_calling_over_its_end_without_a_failed_call()
    {
        await using TlsAgent agent = await TlsAgent.StartAsync("--allow-authenticated");
        TestCertificate current = agent.Ca.IssueClient("CN=brief", TimeSpan.FromSeconds(6));
        DateTimeOffset end = current.NotAfter;
        int handshakes = 0;
        using GrpcChannel channel = agent.ConnectRenewing(() =>
        {
            Interlocked.Increment(ref handshakes);
            return Volatile.Read(ref current);
        });
        ProcessService.ProcessServiceClient processes = new(channel);
        int calls = 0;
        while (DateTimeOffset.UtcNow < end + TimeSpan.FromSeconds(3))
        {
            Assert.NotEmpty((await processes.ListProcessesAsync(new ListProcessesRequest { PageSize = 1 })).Processes);
            calls++;
            if (handshakes > 0 && DateTimeOffset.UtcNow > end - TimeSpan.FromSeconds(3) && current.NotAfter == end)
            {
                Volatile.Write(ref current, agent.Ca.IssueClient("CN=brief"));
            }
        }

        Assert.True(calls > 100, $"{calls} calls");
        Assert.Equal(2, handshakes);
        agent.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task An_expired_identity_that_takes_nothing_is_cut_off()
    {
        await using TlsAgent agent = await TlsAgent.StartAsync("--allow-authenticated");
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "256", "--threads", "2");
        using GrpcChannel channel = agent.Connect(agent.Ca.IssueClient("CN=brief", TimeSpan.FromSeconds(4)));
        using AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(CaptureStream.Request(target, Strategy.Fork));
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.NotEmpty(agent.Agent.Descendants);
        await Wait.UntilAsync(() => agent.Agent.Descendants.Length == 0, s_bound, "the capture ended, though nobody took what it sent");
        await target.CheckAsync();
        agent.Agent.AssertCleanLog();
    }

    private static int Count(TlsAgent agent, string words) => agent.Agent.Log.Split('\n').Count(line => line.Contains(words, StringComparison.Ordinal));

    private static async Task<StopResponse> StopAsync(GrpcChannel channel, LiveProcess target) =>
        await new ControlService.ControlServiceClient(channel).StopAsync(new StopRequest
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid },
            TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(25)),
        });
}
