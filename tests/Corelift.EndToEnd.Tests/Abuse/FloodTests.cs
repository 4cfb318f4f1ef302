using Corelift.Testing.Http2;

namespace Corelift.EndToEnd.Tests.Abuse;

/// <summary>Floods of frames that cost the sender little: the agent closes the connection, or takes no more of it.</summary>
public sealed class FloodTests : AbuseTest
{
    private const int Many = 30_000;
    private const string Path = "/corelift.v1.ProcessService/ListProcesses";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly byte[] s_empty = RawHttp2.Message([]);

    [Theory, MemberData(nameof(Doors))]
    public Task Calls_that_are_reset_at_once(string door) => WithstandAsync(async () =>
    {
        await using RawHttp2 connection = await BeginAsync(door);
        byte[] headers = RawHttp2.Headers(Path);

        await EndsAsync(
            connection,
            Odd(Many).Select(stream => (byte[])[.. RawHttp2.Frame(FrameType.Headers, RawHttp2.EndHeaders, stream, headers), .. RawHttp2.Frame(FrameType.Reset, 0, stream, RawHttp2.Number(8))]));
    });

    [Theory, MemberData(nameof(Doors))]
    public Task Calls_that_are_whole_and_reset_at_once(string door) => WithstandAsync(async () =>
    {
        await using RawHttp2 connection = await BeginAsync(door);
        byte[] headers = RawHttp2.Headers(Path);

        await EndsAsync(
            connection,
            Odd(Many).Select(stream => (byte[])
            [
                .. RawHttp2.Frame(FrameType.Headers, RawHttp2.EndHeaders, stream, headers),
                .. RawHttp2.Frame(FrameType.Data, RawHttp2.EndStream, stream, s_empty),
                .. RawHttp2.Frame(FrameType.Reset, 0, stream, RawHttp2.Number(8)),
            ]));
    });

    [Theory, MemberData(nameof(Doors))]
    public Task Headers_that_go_on_without_end(string door) => WithstandAsync(async () =>
    {
        await using RawHttp2 connection = await BeginAsync(door);
        byte[] more = RawHttp2.Frame(FrameType.Continuation, 0, 1, [0, 1, (byte)'a', 100, .. new byte[100]]);

        await EndsAsync(connection, [RawHttp2.Frame(FrameType.Headers, 0, 1, RawHttp2.Headers(Path)), .. Enumerable.Repeat(more, Many)]);
    });

    [Theory, MemberData(nameof(Doors))]
    public Task Headers_that_never_end_and_say_nothing(string door) => WithstandAsync(async () =>
    {
        await using RawHttp2 connection = await BeginAsync(door);
        byte[] nothing = RawHttp2.Frame(FrameType.Continuation, 0, 1, []);

        _ = await connection.FloodAsync([RawHttp2.Frame(FrameType.Headers, 0, 1, RawHttp2.Headers(Path)), .. Enumerable.Repeat(nothing, Many)], s_patience);

        await connection.AwaitClosedAsync(TimeSpan.FromSeconds(60)); // headers that do not come to their end in time
    });

    [Theory]
    [InlineData("unix", FrameType.Settings)]
    [InlineData("tls", FrameType.Settings)]
    [InlineData("unix", FrameType.Ping)]
    [InlineData("tls", FrameType.Ping)]
    public Task Frames_that_want_an_answer_which_nobody_reads(string door, FrameType type) => WithstandAsync(async () =>
    {
        await using RawHttp2 connection = await BeginAsync(door);
        byte[] frame = RawHttp2.Frame(type, 0, 0, type == FrameType.Settings ? [0, 3, .. RawHttp2.Number(100)] : new byte[8]);

        byte[] thousand = [.. Enumerable.Repeat(frame, 1000).SelectMany(bytes => bytes)];
        FloodEnd end = await connection.FloodAsync(Enumerable.Repeat(thousand, 5000), s_patience); // far more than sockets hold

        Assert.NotEqual(FloodEnd.Taken, end);
    });

    [Theory, MemberData(nameof(Doors))]
    public Task Metadata_of_ten_thousand_entries(string door) => WithstandAsync(async () =>
    {
        await using RawHttp2 connection = await BeginAsync(door);
        byte[] headers = RawHttp2.Headers(Path, Enumerable.Range(0, 10_000).Select(i => ($"x-{i}", new string('v', 20))));
        byte[][] pieces = [.. headers.Chunk(16 * 1024)];

        _ = await connection.FloodAsync(
            pieces.Select((piece, i) => RawHttp2.Frame(i == 0 ? FrameType.Headers : FrameType.Continuation, i == pieces.Length - 1 ? RawHttp2.EndHeaders : (byte)0, 1, piece)), s_patience);

        // The call is answered by an error of its own, or not at all: nothing of the contract is reached.
        Http2Frame? answer = await connection.ReadUntilAsync(static frame => frame.Stream == 1 || frame.Type == FrameType.GoAway, TimeSpan.FromSeconds(30));
        const byte Status200 = 0x88; // RFC 7541, appendix A: entry 8
        Assert.False(answer is { Type: FrameType.Headers, Payload: [Status200, ..] }, "the call was served");
    });

    [Theory, MemberData(nameof(Doors))]
    public Task More_streams_than_may_be(string door) => WithstandAsync(async () =>
    {
        await using RawHttp2 connection = await BeginAsync(door);
        byte[] headers = RawHttp2.Headers(Path);

        _ = await connection.FloodAsync(Odd(2000).Select(stream => RawHttp2.Frame(FrameType.Headers, RawHttp2.EndHeaders, stream, headers)), s_patience);

        // Those above the limit are refused, or the connection is closed; none of them waits for ever.
        const int Refused = 7;
        Http2Frame? refusal = await connection.ReadUntilAsync(
            static frame => frame.Type == FrameType.GoAway || (frame.Type == FrameType.Reset && frame.Payload[^1] == Refused), TimeSpan.FromSeconds(30));
        Assert.True(refusal is null or { Type: FrameType.GoAway } or { Stream: > 200 }, $"stream {refusal?.Stream} was refused");
    });

    /// <summary>Whatever of it the sockets between took: the server closes the connection, or takes no more of it.</summary>
    private static async Task EndsAsync(RawHttp2 connection, IEnumerable<byte[]> pieces)
    {
        if (await connection.FloodAsync(pieces, s_patience) == FloodEnd.Taken)
        {
            await connection.AwaitClosedAsync(TimeSpan.FromSeconds(30));
        }
    }

    private static IEnumerable<int> Odd(int count) => Enumerable.Range(0, count).Select(i => (2 * i) + 1);
}
