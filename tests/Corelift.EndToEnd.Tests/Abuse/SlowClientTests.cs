using System.Net;
using System.Net.Sockets;
using Corelift.Testing.Http2;
using Corelift.V1;
using Google.Protobuf;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests.Abuse;

/// <summary>Clients that hold things up: connections that say nothing, streams that nobody reads.</summary>
public sealed class SlowClientTests : AbuseTest
{
    private const string Capture = "/corelift.v1.SnapshotService/Capture";
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(40);

    protected override string[] Arguments => ["--max-stall", "3s"];

    [Fact]
    public Task Unix_connections_that_say_nothing_or_half_a_word_are_closed() => WithstandAsync(async () =>
    {
        List<RawHttp2> silent = [];
        try
        {
            foreach (string words in (string[])["", "c", "corelift memory"])
            {
                for (int i = 0; i < 40; i++)
                {
                    silent.Add(await ConnectAsync("unix"));
                    await silent[^1].SendAsync(System.Text.Encoding.ASCII.GetBytes(words));
                }
            }

            await Task.WhenAll(silent.Select(connection => connection.AwaitClosedAsync(s_bound)));
        }
        finally
        {
            await Task.WhenAll(silent.Select(connection => connection.DisposeAsync().AsTask()));
        }
    });

    [Fact]
    public Task Tcp_connections_that_say_nothing_or_half_a_handshake_are_closed() => WithstandAsync(async () =>
    {
        List<TcpClient> silent = [];
        try
        {
            for (int i = 0; i < 100; i++)
            {
                TcpClient client = new();
                silent.Add(client);
                await client.ConnectAsync(IPAddress.Loopback, Server.Port);
                await client.GetStream().WriteAsync(((byte[])[0x16, 3, 1, 2, 0]).AsMemory(0, i % 6)); // a record that claims 512 bytes
            }

            using CancellationTokenSource time = new(s_bound);
            foreach (TcpClient client in silent)
            {
                Assert.Equal(0, await ReadAsync(client, time.Token));
            }
        }
        finally
        {
            silent.ForEach(client => client.Dispose());
        }
    });

    [Fact]
    public Task More_TLS_connections_than_may_be_leave_room_for_the_socket() => WithstandAsync(async () =>
    {
        List<TcpClient> many = [];
        try
        {
            for (int i = 0; i < 400; i++)
            {
                TcpClient client = new();
                many.Add(client);
                try
                {
                    await client.ConnectAsync(IPAddress.Loopback, Server.Port);
                }
                catch (SocketException)
                {
                    // Refused already: that is what the limit is for.
                }
            }

            using GrpcChannel channel = Server.Agent.Connect();
            using LiveProcess target = LiveProcess.Start("canary");
            await AnswersAsync(channel, target);
        }
        finally
        {
            many.ForEach(client => client.Dispose());
        }
    });

    [Theory]
    [InlineData("unix", Strategy.Fork, false)]
    [InlineData("unix", Strategy.Direct, false)]
    [InlineData("tls", Strategy.Precopy, false)]
    [InlineData("tls", Strategy.Fork, true)]
    public async Task A_capture_that_nobody_reads_or_a_byte_at_a_time_is_given_up_and_its_target_runs(string door, Strategy strategy, bool readsBytes)
    {
        using LiveProcess target = LiveProcess.Start("spinner", "--mib", "32");
        await target.AskAsync("reset");
        await WithstandAsync(async () =>
        {
            await using RawHttp2 connection = await BeginAsync(door, initialWindow: readsBytes ? 1 : 0);
            byte[] request = CaptureStream.Request(target, strategy).ToByteArray();
            await connection.SendAsync(FrameType.Headers, RawHttp2.EndHeaders, 1, RawHttp2.Headers(Capture));
            await connection.SendAsync(FrameType.Data, RawHttp2.EndStream, 1, RawHttp2.Message(request));
            await OpenByOneAsync(connection, readsBytes);
        });
        await Wait.UntilAsync(() => target.Status("TracerPid") == "0", s_bound, "the target runs");
        Assert.InRange(await target.AskNumberAsync("gap", "gap_us"), 0, 4_000_000); // the stop budget is 2 s
        await target.CheckAsync();
    }

    /// <summary>Reads until the server lets go; opens the window by a byte for each byte that comes, if at all.</summary>
    private static async Task OpenByOneAsync(RawHttp2 connection, bool readsBytes)
    {
        using CancellationTokenSource time = new(s_bound);
        try
        {
            while (await connection.ReadAsync(time.Token) is { } frame && frame is not { Type: FrameType.GoAway } and not { Type: FrameType.Reset })
            {
                if (readsBytes && frame is { Type: FrameType.Data, Payload.Length: > 0 })
                {
                    await Task.Delay(50, time.Token); // the rate is what this is about, not a wait for something
                    await connection.SendAsync(FrameType.WindowUpdate, 0, 1, RawHttp2.Number(1));
                }
            }
        }
        catch (IOException)
        {
            // Closed while we wrote.
        }
    }

    private static async Task<int> ReadAsync(TcpClient client, CancellationToken cancellation)
    {
        try
        {
            byte[] buffer = new byte[256];
            int read;
            do
            {
                read = await client.GetStream().ReadAsync(buffer, cancellation); // an alert may come first
            }
            while (read > 0);

            return read;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
