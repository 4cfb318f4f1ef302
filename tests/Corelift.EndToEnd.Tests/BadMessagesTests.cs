using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Corelift.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Messages that are too large, packed to burst, or of another language; texts that no filter can mean.</summary>
public sealed class BadMessagesTests : AgentTest
{
    private const string Get = "/corelift.v1.ProcessService/GetProcess";

    [Theory]
    [InlineData("name of a mebibyte", StatusCode.ResourceExhausted, StatusCode.InvalidArgument)]
    [InlineData("name of 300 bytes", StatusCode.InvalidArgument, StatusCode.InvalidArgument)]
    [InlineData("container", StatusCode.InvalidArgument, StatusCode.InvalidArgument)]
    [InlineData("page token", StatusCode.InvalidArgument, StatusCode.InvalidArgument)]
    public async Task Texts_that_cannot_be_meant_are_refused(string what, params StatusCode[] codes)
    {
        ListProcessesRequest request = what switch
        {
            "name of a mebibyte" => new ListProcessesRequest { Name = new string('x', 1 << 20) },
            "name of 300 bytes" => new ListProcessesRequest { Name = new string('x', 300) },
            "container" => new ListProcessesRequest { ContainerId = "../../../../etc" },
            _ => new ListProcessesRequest { PageToken = "AQAAAAAAAAA\0" },
        };
        using GrpcChannel channel = Agent.Connect();
        RpcException refusal = await Assert.ThrowsAsync<RpcException>(async () => await new ProcessService.ProcessServiceClient(channel).ListProcessesAsync(request));
        Assert.Contains(refusal.StatusCode, codes);
    }

    [Theory]
    [InlineData("*")]
    [InlineData("../../")]
    [InlineData("a\0b")]
    public async Task A_name_is_compared_as_it_is_and_means_no_pattern(string name)
    {
        using GrpcChannel channel = Agent.Connect();
        Assert.Empty((await new ProcessService.ProcessServiceClient(channel).ListProcessesAsync(new ListProcessesRequest { Name = name })).Processes);
    }

    [Theory]
    [InlineData("invalid UTF-8", new byte[] { 10, 2, 0xff, 0xfe })]
    [InlineData("wrong wire type", new byte[] { 10, 1, 8 })]
    [InlineData("cut off", new byte[] { 10, 200 })]
    [InlineData("a length of 2 GiB", new byte[] { 10, 0xff, 0xff, 0xff, 0xff, 7 })]
    [InlineData("a group without end", new byte[] { 11, 11, 11, 11 })]
    public async Task Messages_that_do_not_parse_are_errors_of_their_call_alone(string what, byte[] message)
    {
        Assert.NotEmpty(what);
        ExpectedErrors = "."; // the server may call it an error in its log
        Assert.NotEqual("0", await CallAsync([0, .. Length(message), .. message]));
        await AnswersAsync();
    }

    [Fact]
    public async Task Fields_of_the_future_are_ignored()
    {
        byte[] known = new GetProcessRequest { Ref = new ProcessRef { Pid = (uint)Environment.ProcessId } }.ToByteArray();
        byte[] message = [.. known, 0xf8, 7, 1, 0xfa, 7, 3, 1, 2, 3];
        Assert.Equal("0", await CallAsync([0, .. Length(message), .. message]));
    }

    [Fact]
    public async Task A_message_above_the_limit_is_refused_before_it_is_read()
    {
        long before = Agent.PeakResidentBytes;
        Assert.Equal(((int)StatusCode.ResourceExhausted).ToString(System.Globalization.CultureInfo.InvariantCulture), await CallAsync([0, .. Length(65 << 20), .. new byte[1000]]));
        Assert.InRange(Agent.PeakResidentBytes - before, 0, 32L << 20);
        await AnswersAsync();
    }

    [Fact]
    public async Task A_packed_message_that_would_burst_is_refused_in_bounded_memory()
    {
        using MemoryStream packed = new();
        await using (GZipStream gzip = new(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            byte[] zeros = new byte[1 << 20];
            for (int i = 0; i < 40; i++)
            {
                await gzip.WriteAsync(zeros);
            }
        }

        byte[] bomb = packed.ToArray();
        Assert.InRange(bomb.Length, 0, 60 * 1024); // it passes as a message
        long before = Agent.PeakResidentBytes;
        Assert.NotEqual("0", await CallAsync([1, .. Length(bomb), .. bomb], "gzip"));
        Assert.InRange(Agent.PeakResidentBytes - before, 0, 32L << 20);
        await AnswersAsync();
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\n\r\n")]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]
    public async Task Another_language_ends_the_connection_and_no_other(string words)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Agent.SocketPath));
        await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(words));
        using CancellationTokenSource time = new(TimeSpan.FromSeconds(30));
        byte[] buffer = new byte[4096];
        while (await ReceiveAsync(socket, buffer, time.Token) > 0)
        {
        }

        await AnswersAsync();
    }

    private static async Task<int> ReceiveAsync(Socket socket, byte[] buffer, CancellationToken cancellation)
    {
        try
        {
            return await socket.ReceiveAsync(buffer, cancellation);
        }
        catch (SocketException)
        {
            return 0;
        }
    }

    private static byte[] Length(byte[] message) => Length(message.Length);

    private static byte[] Length(int length)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        return bytes;
    }

    private async Task AnswersAsync()
    {
        using GrpcChannel channel = Agent.Connect();
        GetProcessRequest request = new() { Ref = new ProcessRef { Pid = (uint)Environment.ProcessId } };
        Assert.NotNull((await new ProcessService.ProcessServiceClient(channel).GetProcessAsync(request)).Process);
    }

    /// <summary>Sends bytes as a call's body; the status that the call ended with.</summary>
    private async Task<string> CallAsync(byte[] body, string? encoding = null)
    {
        using HttpClient http = new(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Agent.SocketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        using HttpRequestMessage request = new(HttpMethod.Post, "http://localhost" + Get)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        if (encoding is not null)
        {
            request.Headers.Add("grpc-encoding", encoding);
        }

        using HttpResponseMessage response = await http.SendAsync(request);
        await response.Content.ReadAsByteArrayAsync();
        IEnumerable<string> status = response.TrailingHeaders.TryGetValues("grpc-status", out IEnumerable<string>? late) ? late : response.Headers.GetValues("grpc-status");
        return Assert.Single(status);
    }
}
