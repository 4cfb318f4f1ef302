using System.Globalization;
using System.Text;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>A target that becomes another one between the decision and the stop is never captured: not one byte of it.</summary>
public sealed class TargetChangesTests : PolicyTest
{
    private const uint Caller = 1000;
    private const int ReuseTries = 1000;
    private const int ChangeTries = 60;

    protected override string Policy => PolicyOf(
        string.Empty,
        """{ "name": "users", "who": [{ "uid": 1000 }], "verbs": ["snapshot"], "content": "full", "targets": [{ "uid": 1000 }] }""",
        """{ "name": "root's, while they are root's", "who": [{ "uid": 1002 }], "verbs": ["snapshot"], "content": "full", "targets": [{ "uid": 0, "executable": "*/changer" }] }""",
        """{ "name": "one program", "who": [{ "uid": 1003 }], "verbs": ["snapshot"], "content": "full", "targets": [{ "executable": "*/allowed" }] }""");

    [Fact]
    public async Task A_reused_pid_gives_no_byte_of_the_wrong_process()
    {
        using LiveProcess reuser = LiveProcess.Start("reuser");
        using GrpcChannel channel = ConnectAs(Caller);
        Random random = new(4);
        int captured = 0, refused = 0;
        for (int i = 0; i < ReuseTries; i++)
        {
            uint pid = (uint)await reuser.AskNumberAsync("begin", "pid");
            CaptureRequest request = new() { Ref = new ProcessRef { Pid = pid }, Options = new CaptureOptions { Strategy = i % 3 == 0 ? Strategy.Fork : i % 3 == 1 ? Strategy.Direct : Strategy.Precopy, Content = Content.Full } };
            Task<(bool IsWhole, byte[] Bytes)> capture = ReadAsync(channel, request);
            int delay = random.Next(captured > refused ? 40_000 : 160_000);
            await reuser.AskAsync(string.Create(CultureInfo.InvariantCulture, $"swap {random.Next(delay + 1)}"));
            (bool isWhole, byte[] bytes) = await capture;
            Assert.Equal(-1, bytes.AsSpan().IndexOf("CANARY-FORBIDDEN"u8));
            Assert.True(!isWhole || bytes.AsSpan().IndexOf("CANARY-ALLOWED"u8) >= 0, "a whole snapshot is one of the right process");
            captured += isWhole ? 1 : 0;
            refused += isWhole ? 0 : 1;
            await reuser.AskAsync("end");
        }

        Assert.True(captured > ReuseTries / 50 && refused > ReuseTries / 50, $"{captured} captured, {refused} refused: the race was not run");
    }

    [Fact]
    public async Task A_process_that_changes_its_uids_is_captured_only_while_they_are_allowed()
    {
        using LiveProcess target = LiveProcess.Start("changer", "--every-us", "2000");
        using GrpcChannel channel = ConnectAs(1002);
        (int whole, int refused) = await CaptureWhileItChangesAsync(channel, target, "STATE-user", "STATE-root");
        Assert.True(whole > 0 && refused > 0, $"{whole} captured, {refused} refused: the race was not run");
    }

    [Fact]
    public async Task A_process_that_executes_another_program_is_captured_only_while_it_is_the_allowed_one()
    {
        string allowed = Scratch.File("allowed"), forbidden = Scratch.File("forbidden");
        foreach (string path in (string[])[allowed, forbidden])
        {
            File.Copy(Artifacts.Tracee("changer"), path);
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        }

        using LiveProcess target = LiveProcess.StartProgram(allowed, "--every-us", "60000", "--exec", forbidden);
        using GrpcChannel channel = ConnectAs(1003);
        (int whole, int refused) = await CaptureWhileItChangesAsync(channel, target, "STATE-forbidden", "STATE-allowed");
        Assert.True(whole > 0 && refused > 0, $"{whole} captured, {refused} refused: the race was not run");
    }

    private static async Task<(int Whole, int Refused)> CaptureWhileItChangesAsync(GrpcChannel channel, LiveProcess target, string forbidden, string allowed)
    {
        int whole = 0, refused = 0;
        for (int i = 0; i < ChangeTries || (whole == 0 && i < 10 * ChangeTries); i++)
        {
            (bool isWhole, byte[] bytes) = await ReadAsync(channel, CaptureStream.Request(target, i % 2 == 0 ? Strategy.Direct : Strategy.Fork, Content.Full));
            whole += isWhole ? 1 : 0;
            refused += isWhole ? 0 : 1;
            if (bytes.Length > 0)
            {
                // The words of the other state are in the program's text, so what its memory says 256 times over is what counts.
                Assert.True(Count(bytes, forbidden) < 10, $"try {i}: {forbidden} was captured");
            }

            Assert.True(!isWhole || Count(bytes, forbidden) < Math.Max(10, Count(bytes, allowed)), $"try {i}: {forbidden} was captured");
        }

        return (whole, refused);
    }

    private static int Count(ReadOnlySpan<byte> bytes, string word) => bytes.Count(Encoding.ASCII.GetBytes(word));

    /// <summary>All bytes of memory that came, however the call ended.</summary>
    private static async Task<(bool IsWhole, byte[] Bytes)> ReadAsync(GrpcChannel channel, CaptureRequest request)
    {
        using MemoryStream bytes = new();
        bool isWhole = false;
        try
        {
            using AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(request);
            await foreach (CaptureResponse message in call.ResponseStream.ReadAllAsync())
            {
                if (message.Memory is { } memory)
                {
                    bytes.Write(memory.Data.Span);
                }

                isWhole |= message.Trailer is not null;
            }
        }
        catch (RpcException failure) when (failure.StatusCode is StatusCode.PermissionDenied or StatusCode.NotFound or StatusCode.Aborted or StatusCode.FailedPrecondition or StatusCode.AlreadyExists)
        {
            isWhole = false;
        }

        return (isWhole, bytes.ToArray());
    }
}
