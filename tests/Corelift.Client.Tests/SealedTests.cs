using Corelift.Client.Tests.Scripted;
using Corelift.Elf;
using Corelift.Sealing;
using Corelift.V1;
using Google.Protobuf;

namespace Corelift.Client.Tests;

/// <summary>Sealed snapshots: kept as they come, opened later, and opened as they come.</summary>
public sealed class SealedTests : IAsyncLifetime
{
    private static readonly AgeIdentity s_identity = AgeIdentity.Generate();
    private static readonly SnapshotRequest s_request = new() { Target = new ProcessRef { Pid = SyntheticCapture.Pid } };
    private static readonly SnapshotRequest s_sealed = s_request with { Recipients = [s_identity.Recipient.ToString()] };

    private ScriptedAgent _agent = null!;

    public static TheoryData<int> PartLengths => [1, 100, 65_552, 1 << 20];

    public async Task InitializeAsync() => _agent = await ScriptedAgent.StartAsync();

    public async Task DisposeAsync() => await _agent.DisposeAsync();

    [Fact]
    public async Task A_sealed_snapshot_is_kept_byte_for_byte()
    {
        byte[] file = await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), s_identity);
        CaptureRequest? asked = null;
        _agent.Script.Capture = async (request, writer, _) =>
        {
            asked = request;
            foreach (CaptureResponse part in SealedCapture.Parts(file, 100_000))
            {
                await writer.WriteAsync(part);
            }
        };
        await using CoreliftClient client = _agent.Connect();

        SealedSnapshotResult result = await client.SealedSnapshotAsync(s_sealed, SnapshotDestination.ToFile(_agent.File("x.age")));

        Assert.Equal((_agent.File("x.age"), file.Length), (result.Path, result.FileLengthBytes));
        Assert.Equal(file, await File.ReadAllBytesAsync(_agent.File("x.age")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_agent.File("x.age")));
        Assert.Equal([s_identity.Recipient.ToString()], asked!.Options.Recipients);
        Assert.False(asked.Options.SinkCannotSeek, "nothing in a sealed file is written twice");
    }

    [Theory, MemberData(nameof(PartLengths))]
    public async Task Opened_as_it_comes_it_is_the_core_of_an_unsealed_one(int partBytes)
    {
        List<CaptureResponse> messages = SyntheticCapture.WithRounds().Messages();
        byte[] file = await SealedCapture.SealAsync(messages, s_identity);
        _agent.Script.CaptureWith(partBytes == 1
            ? [.. SealedCapture.Parts(file[..5000], 1), .. SealedCapture.Parts(file[5000..])]
            : SealedCapture.Parts(file, partBytes));
        await using CoreliftClient client = _agent.Connect();

        await client.SnapshotAsync(s_request with { Identities = [s_identity] }, SnapshotDestination.ToFile(_agent.File("opened")));
        _agent.Script.CaptureWith(messages);
        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(_agent.File("plain")));

        Assert.Equal(await File.ReadAllBytesAsync(_agent.File("plain")), await File.ReadAllBytesAsync(_agent.File("opened")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Opened_later_it_is_the_core_of_an_unsealed_one(bool hasRounds)
    {
        List<CaptureResponse> messages = (hasRounds ? SyntheticCapture.WithRounds() : SyntheticCapture.WithMemory()).Messages();
        using MemoryStream file = new(await SealedCapture.SealAsync(messages, AgeIdentity.Generate(), s_identity));
        SnapshotResult opened = await SealedSnapshot.OpenAsync(file, [s_identity], SnapshotDestination.ToFile(_agent.File("opened")));

        _agent.Script.CaptureWith(messages);
        await using CoreliftClient client = _agent.Connect();
        SnapshotResult plain = await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(_agent.File("plain")));

        Assert.Equal(await File.ReadAllBytesAsync(_agent.File("plain")), await File.ReadAllBytesAsync(_agent.File("opened")));
        Assert.Equal((plain.Digest, plain.Pause, plain.ThreadCount), (opened.Digest, opened.Pause, opened.ThreadCount));
        using FileStream core = File.OpenRead(_agent.File("opened"));
        Assert.True(CoreVerifier.Verify(core).IsSound);
    }

    [Fact]
    public async Task A_partial_snapshot_stays_partial()
    {
        using MemoryStream file = new(await SealedCapture.SealAsync(SyntheticCapture.Partial().Messages(), s_identity));
        SnapshotResult result = await SealedSnapshot.OpenAsync(file, [s_identity], SnapshotDestination.ToFile(_agent.File("x.core")));

        Assert.True(result.IsPartial);
        Assert.Equal(["x.core.partial"], _agent.FilesLeft());
    }

    [Fact]
    public async Task Live_rounds_cannot_be_opened_into_a_pipe_and_others_can()
    {
        using MemoryStream rounds = new(await SealedCapture.SealAsync(SyntheticCapture.WithRounds().Messages(), s_identity));
        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(
            () => SealedSnapshot.OpenAsync(rounds, [s_identity], SnapshotDestination.ToStream(new PipeLike(new MemoryStream()))));
        Assert.Equal(SnapshotFailure.Output, failure.Failure);
        Assert.Contains("precopy", failure.Message, StringComparison.Ordinal);

        using MemoryStream memory = new(await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), s_identity));
        MemoryStream core = new();
        await SealedSnapshot.OpenAsync(memory, [s_identity], SnapshotDestination.ToStream(new PipeLike(core)));
        Assert.True(CoreVerifier.Verify(core).IsSound);
    }

    [Fact]
    public async Task An_agent_that_seals_unasked_is_understood()
    {
        _agent.Script.CaptureWith(SealedCapture.Parts(await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), s_identity)));
        await using CoreliftClient client = _agent.Connect();

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(
            () => client.SnapshotAsync(s_request, SnapshotDestination.ToFile(_agent.File("x.core"))));
        Assert.Equal(SnapshotFailure.Sealed, failure.Failure);
        Assert.Contains("--sealed", failure.Message, StringComparison.Ordinal);
        Assert.Empty(_agent.FilesLeft());

        await client.SealedSnapshotAsync(s_request, SnapshotDestination.ToFile(_agent.File("x.age")));
        Assert.Equal(["x.age"], _agent.FilesLeft());
    }

    [Fact]
    public async Task An_agent_that_does_not_seal_though_it_was_asked_to_is_refused()
    {
        _agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await using CoreliftClient client = _agent.Connect();
        SnapshotRequest opening = s_request with { Identities = [s_identity] };

        await AssertFailsAsync(SnapshotFailure.Violation, () => client.SealedSnapshotAsync(s_sealed, SnapshotDestination.ToFile(_agent.File("x"))));
        await AssertFailsAsync(SnapshotFailure.Violation, () => client.SnapshotAsync(opening, SnapshotDestination.ToFile(_agent.File("x"))));
        await Assert.ThrowsAsync<ArgumentException>(() => client.SnapshotAsync(s_sealed, SnapshotDestination.ToFile(_agent.File("x"))));
    }

    [Fact]
    public async Task A_file_that_was_changed_or_cut_off_leaves_no_core()
    {
        byte[] file = await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), s_identity);
        byte[] flipped = [.. file];
        flipped[^1] ^= 1;
        byte[] early = [.. file];
        early[1000] ^= 1;
        await AssertNoCoreAsync(SnapshotFailure.Broken, flipped);
        await AssertNoCoreAsync(SnapshotFailure.Broken, early);
        await AssertNoCoreAsync(SnapshotFailure.Broken, file[..^1]);
        await AssertNoCoreAsync(SnapshotFailure.Broken, file[..^(file.Length % 65_552)]);
        await AssertNoCoreAsync(SnapshotFailure.Broken, [.. file, 0]);
        await AssertNoCoreAsync(SnapshotFailure.Broken, "no age file"u8.ToArray());
        await AssertNoCoreAsync(SnapshotFailure.Broken, []);
        await AssertNoCoreAsync(SnapshotFailure.Sealed, await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), AgeIdentity.Generate()));
    }

    [Fact]
    public async Task What_a_sealed_file_holds_is_trusted_as_little_as_an_agent()
    {
        List<CaptureResponse> messages = SyntheticCapture.WithMemory().Messages();
        Task<byte[]> Sealed(IEnumerable<CaptureResponse> some) => SealedCapture.SealAsync(some, s_identity);
        await AssertNoCoreAsync(SnapshotFailure.Broken, await Sealed(messages.Take(messages.Count - 1)));
        await AssertNoCoreAsync(SnapshotFailure.Broken, await Sealed([]));
        await AssertNoCoreAsync(SnapshotFailure.Violation, await Sealed(messages.Append(messages[^1])));
        await AssertNoCoreAsync(SnapshotFailure.Violation, await Sealed(messages.Skip(1)));
        await AssertNoCoreAsync(SnapshotFailure.Violation, await Sealed(messages.Where((_, at) => at != messages.Count - 2)));
        await AssertNoCoreAsync(SnapshotFailure.Violation, await Sealed(messages.Prepend(SealedCapture.Parts(await Sealed(messages)).First())));
        await AssertNoCoreAsync(SnapshotFailure.Violation, await SealedCapture.SealAsync([0xff, 0xff, 0xff, 0xff, 0x7f], s_identity)); // a message of 32 GiB
        await AssertNoCoreAsync(SnapshotFailure.Violation, await SealedCapture.SealAsync([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], s_identity));
        await AssertNoCoreAsync(SnapshotFailure.Violation, await SealedCapture.SealAsync(new byte[1 << 20], s_identity)); // empty messages
        await AssertNoCoreAsync(SnapshotFailure.Violation, await SealedCapture.SealAsync([100, 1, 2, 3], s_identity));
        await AssertNoCoreAsync(SnapshotFailure.Violation, await SealedCapture.SealAsync([3, 0xff, 0xff, 0xff], s_identity));
    }

    [Fact]
    public async Task What_is_no_part_of_an_age_file_is_not_kept()
    {
        await using CoreliftClient client = _agent.Connect();
        byte[] file = await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), s_identity);
        IEnumerable<CaptureResponse>[] scripts =
        [
            [new CaptureResponse { Sealed = ByteString.CopyFromUtf8("no age file") }],
            [First(file), new CaptureResponse { Sealed = ByteString.Empty }],
            [First(file), new CaptureResponse { Sealed = ByteString.CopyFrom(new byte[(1 << 20) + 1]) }],
            [First(file), new CaptureResponse()],
            [First(file), .. SyntheticCapture.WithMemory().Messages()],
        ];
        foreach (IEnumerable<CaptureResponse> script in scripts)
        {
            _agent.Script.CaptureWith(script);
            await AssertFailsAsync(SnapshotFailure.Violation, () => client.SealedSnapshotAsync(s_sealed, SnapshotDestination.ToFile(_agent.File("x"))));
        }

        _agent.Script.CaptureWith([]);
        await AssertFailsAsync(SnapshotFailure.Broken, () => client.SealedSnapshotAsync(s_sealed, SnapshotDestination.ToFile(_agent.File("x"))));
        _agent.Script.CaptureWith(SealedCapture.Parts(file));
        SnapshotRequest small = s_sealed with { Limits = new SnapshotLimits { MaxMemoryBytes = 1 << 20 } };
        await AssertFailsAsync(SnapshotFailure.LimitExceeded, () => client.SealedSnapshotAsync(small, SnapshotDestination.ToFile(_agent.File("x"))));
    }

    [Fact]
    public async Task A_connection_that_breaks_leaves_neither_core_nor_sealed_file()
    {
        byte[] file = await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), s_identity);
        _agent.Script.Capture = async (_, writer, context) =>
        {
            await writer.WriteAsync(SealedCapture.Parts(file).First());
            ScriptedAgent.Cut(context);
        };
        await using CoreliftClient client = _agent.Connect();
        await AssertFailsAsync(SnapshotFailure.Broken, () => client.SealedSnapshotAsync(s_sealed, SnapshotDestination.ToFile(_agent.File("x"))));
        await AssertFailsAsync(
            SnapshotFailure.Broken, () => client.SnapshotAsync(s_request with { Identities = [s_identity] }, SnapshotDestination.ToFile(_agent.File("x"))));
    }

    private static CaptureResponse First(byte[] file) => SealedCapture.Parts(file, 5000).First();

    private async Task AssertNoCoreAsync(SnapshotFailure expected, byte[] file)
    {
        await AssertFailsAsync(expected, () => SealedSnapshot.OpenAsync(new MemoryStream(file), [s_identity], SnapshotDestination.ToFile(_agent.File("x"))));

        _agent.Script.CaptureWith(SealedCapture.Parts(file, 50_000));
        await using CoreliftClient client = _agent.Connect();
        await AssertFailsAsync(expected, () => client.SnapshotAsync(s_request with { Identities = [s_identity] }, SnapshotDestination.ToFile(_agent.File("x"))));
    }

    private async Task AssertFailsAsync(SnapshotFailure expected, Func<Task> work)
    {
        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(work);
        Assert.Equal((expected, failure.Message), (failure.Failure, failure.Message));
        Assert.Empty(_agent.FilesLeft());
    }
}
