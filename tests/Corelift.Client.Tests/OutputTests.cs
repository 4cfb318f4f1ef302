using Corelift.Client.Tests.Scripted;
using Corelift.V1;

namespace Corelift.Client.Tests;

/// <summary>Where the core goes: names, partial files, disks.</summary>
public sealed class OutputTests
{
    private static readonly SnapshotRequest s_request = new() { Target = new ProcessRef { Pid = SyntheticCapture.Pid } };

    [Fact]
    public async Task A_file_that_exists_is_refused_before_the_target_is_touched()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        bool asked = false;
        agent.Script.Capture = (_, _, _) =>
        {
            asked = true;
            return Task.CompletedTask;
        };
        await File.WriteAllTextAsync(agent.File("x.core"), "mine");

        SnapshotException failure = await FailAsync(agent, agent.File("x.core"));

        Assert.Contains("exists already", failure.Message, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(agent.File("x.core")));
        Assert.False(asked);
    }

    [Fact]
    public async Task A_file_that_exists_is_replaced_where_that_is_allowed_but_only_by_a_whole_core()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        await using CoreliftClient client = agent.Connect();
        await File.WriteAllTextAsync(agent.File("x.core"), "mine");
        SnapshotDestination destination = SnapshotDestination.ToFile(agent.File("x.core"), overwrite: true);

        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages().SkipLast(1));
        await Assert.ThrowsAsync<SnapshotException>(() => client.SnapshotAsync(s_request, destination));
        Assert.Equal("mine", await File.ReadAllTextAsync(agent.File("x.core")));

        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        SnapshotResult result = await client.SnapshotAsync(s_request, destination);
        Assert.Equal(result.FileLengthBytes, new FileInfo(agent.File("x.core")).Length);
        Assert.Equal(["x.core"], agent.FilesLeft());
    }

    [Fact]
    public async Task A_name_that_was_taken_meanwhile_is_not_overwritten()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Capture = async (_, writer, _) =>
        {
            await File.WriteAllTextAsync(agent.File("x.core"), "mine");
            foreach (CaptureResponse message in SyntheticCapture.WithMemory().Messages())
            {
                await writer.WriteAsync(message);
            }
        };

        await FailAsync(agent, agent.File("x.core"));

        Assert.Equal("mine", await File.ReadAllTextAsync(agent.File("x.core")));
        Assert.Equal(["x.core"], agent.FilesLeft());
    }

    [Fact]
    public async Task A_link_to_nowhere_is_not_followed()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        File.CreateSymbolicLink(agent.File("x.core"), agent.File("elsewhere"));

        await FailAsync(agent, agent.File("x.core"));

        Assert.Equal(["x.core"], agent.FilesLeft());
    }

    [Fact]
    public async Task The_partial_file_is_beside_the_final_name_and_private()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        List<string> seen = [];
        UnixFileMode mode = default;
        agent.Script.Capture = async (_, writer, _) =>
        {
            seen.AddRange(agent.FilesLeft());
            mode = File.GetUnixFileMode(agent.File(seen[0]));
            foreach (CaptureResponse message in SyntheticCapture.WithMemory().Messages())
            {
                await writer.WriteAsync(message);
            }
        };
        await using CoreliftClient client = agent.Connect();

        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile(agent.File("x.core")));

        Assert.StartsWith(".x.core.partial-", Assert.Single(seen), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, mode);
    }

    [Fact]
    public async Task A_capture_that_is_cancelled_leaves_nothing()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        using CancellationTokenSource cancellation = new();
        TaskCompletionSource ended = new();
        agent.Script.Capture = async (_, writer, context) =>
        {
            foreach (CaptureResponse message in SyntheticCapture.WithMemory().Messages().SkipLast(2))
            {
                await writer.WriteAsync(message);
            }

            await cancellation.CancelAsync();
            using CancellationTokenRegistration registration = context.CancellationToken.Register(ended.SetResult);
            await ended.Task;
        };
        await using CoreliftClient client = agent.Connect();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.SnapshotAsync(
            s_request, SnapshotDestination.ToFile(agent.File("x.core")), null, cancellation.Token));

        await ended.Task.WaitAsync(TimeSpan.FromSeconds(10)); // the agent is told
        Assert.Empty(agent.FilesLeft());
    }

    [Theory]
    [InlineData("nowhere/x.core", "no such directory")]
    [InlineData("agent.sock/x.core", "")]
    [InlineData("", "is a directory")]
    public async Task A_place_where_nothing_can_be_written_is_named(string name, string says)
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();

        SnapshotException failure = await FailAsync(agent, agent.File(name));

        Assert.Contains(agent.Folder, failure.Message, StringComparison.Ordinal);
        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        Assert.Empty(agent.FilesLeft());
    }

    [Fact]
    public async Task A_file_system_that_makes_no_files_is_said_to_be_one()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();

        SnapshotException failure = await FailAsync(agent, "/proc/x.core");

        Assert.Equal("the core cannot be written to /proc/x.core: no file can be made in that directory; nothing was kept", failure.Message);
    }

    [Fact]
    public async Task A_full_device_is_said_to_be_full()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());

        SnapshotException failure = await FailAsync(agent, "/dev/full");

        Assert.Contains("no space left", failure.Message, StringComparison.Ordinal);
        Assert.True(File.Exists("/dev/full"));
    }

    [Fact]
    public async Task A_full_disk_is_said_at_once_where_the_agent_sends_nothing_before_it_hears_of_it()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        await using CoreliftClient client = agent.Connect();
        TaskCompletionSource sent = new();
        TaskCompletionSource cancelled = new();
        agent.Script.Capture = async (_, writer, context) =>
        {
            await using CancellationTokenRegistration end = context.CancellationToken.Register(cancelled.SetResult);
            foreach (CaptureResponse message in SyntheticCapture.WithMemory().Messages().TakeWhile(message => message.Memory is null))
            {
                await writer.WriteAsync(message, context.CancellationToken);
            }

            sent.SetResult();
            await cancelled.Task;
        };
        await using FullDisk disk = new(sent.Task);

        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(
            () => client.SnapshotAsync(s_request, SnapshotDestination.ToStream(disk)).WaitAsync(TimeSpan.FromSeconds(20)));

        Assert.Equal(SnapshotFailure.Output, failure.Failure);
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_device_is_written_to_and_never_replaced()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await using CoreliftClient client = agent.Connect();

        await client.SnapshotAsync(s_request, SnapshotDestination.ToFile("/dev/null", overwrite: true));

        await using FileStream device = File.OpenRead("/dev/null");
        Assert.Equal(0, await device.ReadAsync(new byte[1]));
    }

    private static async Task<SnapshotException> FailAsync(ScriptedAgent agent, string path)
    {
        await using CoreliftClient client = agent.Connect();
        SnapshotException failure = await Assert.ThrowsAsync<SnapshotException>(
            () => client.SnapshotAsync(s_request, SnapshotDestination.ToFile(path)));
        Assert.Equal(SnapshotFailure.Output, failure.Failure);
        return failure;
    }

    /// <summary>A disk that turns out to be full once somebody else is ready.</summary>
    private sealed class FullDisk(Task ready) : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            ready.Wait();
            throw new IOException("no space left");
        }
    }
}
