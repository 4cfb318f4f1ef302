using Corelift.Client.Tests.Scripted;
using Corelift.Elf;
using Corelift.Sealing;
using Corelift.V1;

namespace Corelift.Cli.Tests;

/// <summary>snapshot --seal-to, open and keygen.</summary>
public sealed class SealedCommandTests
{
    private static readonly AgeIdentity s_identity = AgeIdentity.Generate();
    private static readonly string s_public = s_identity.Recipient.ToString();

    [Fact]
    public async Task A_sealed_snapshot_is_kept_under_a_name_of_its_own_and_opened_later()
    {
        await using ScriptedAgent agent = await StartAsync();
        string folder = Environment.CurrentDirectory;
        CliRun snapshot, opened;
        try
        {
            Environment.CurrentDirectory = agent.Folder;
            snapshot = await CliRun.AgainstAsync(agent, "snapshot", "4242", "--seal-to", s_public);
            opened = await CliRun.AloneAsync("open", "core.worker.4242.age", "-i", KeyFile(agent));
        }
        finally
        {
            Environment.CurrentDirectory = folder;
        }

        Assert.Equal((0, ""), (snapshot.ExitCode, snapshot.Errors));
        Assert.Contains("core.worker.4242.age: ", snapshot.Output, StringComparison.Ordinal);
        Assert.Contains("corelift open core.worker.4242.age -i KEYFILE", snapshot.Output, StringComparison.Ordinal);
        Assert.Equal(0, opened.ExitCode);
        Assert.Contains("worker (pid 4242)", opened.Output, StringComparison.Ordinal);
        using FileStream core = File.OpenRead(agent.File("core.worker.4242"));
        Assert.True(CoreVerifier.Verify(core).IsSound);
    }

    [Fact]
    public async Task Recipients_come_from_options_and_files()
    {
        await using ScriptedAgent agent = await StartAsync();
        CaptureRequest? asked = null;
        var answer = agent.Script.Capture;
        agent.Script.Capture = (request, writer, context) =>
        {
            asked = request;
            return answer(request, writer, context);
        };
        AgeIdentity[] others = [AgeIdentity.Generate(), AgeIdentity.Generate()];
        await File.WriteAllTextAsync(agent.File("keys"), $"# team\n{others[0].Recipient}\n{others[1].Recipient}\n{s_public}\n");

        CliRun run = await CliRun.AgainstAsync(
            agent, "snapshot", "4242", "--seal-to", s_public, "--seal-to-file", agent.File("keys"), "-o", agent.File("x.age"), "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Equal([s_public, others[0].Recipient.ToString(), others[1].Recipient.ToString()], asked!.Options.Recipients);
        Assert.Equal(new FileInfo(agent.File("x.age")).Length, run.Json.GetProperty("bytes").GetInt64());
        Assert.Equal(agent.File("x.age"), run.Json.GetProperty("sealed").GetString());
    }

    [Fact]
    public async Task With_a_private_key_at_hand_it_is_opened_as_it_comes()
    {
        await using ScriptedAgent agent = await StartAsync();
        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-i", KeyFile(agent), "-o", agent.File("x.core"));
        Assert.Equal(0, run.ExitCode);
        using FileStream core = File.OpenRead(agent.File("x.core"));
        Assert.True(CoreVerifier.Verify(core).IsSound);
    }

    [Fact]
    public async Task An_agent_that_seals_unasked_says_what_to_add()
    {
        await using ScriptedAgent agent = await StartAsync();
        CliRun plain = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));
        Assert.Equal((4, ""), (plain.ExitCode, plain.Output));
        Assert.Contains("--sealed", plain.Errors, StringComparison.Ordinal);
        Assert.Empty(agent.FilesLeft());

        Assert.Equal(0, (await CliRun.AgainstAsync(agent, "snapshot", "4242", "--sealed", "-o", agent.File("x.age"))).ExitCode);
        Assert.Equal(["x.age"], agent.FilesLeft());
    }

    [Fact]
    public async Task Sealed_and_opened_snapshots_pass_through_pipes()
    {
        await using ScriptedAgent agent = await StartAsync();
        CliRun piped = await CliRun.AgainstAsync(agent, "snapshot", "4242", "--seal-to", s_public, "-o", "-", "--strategy", "precopy");
        Assert.Equal((0, ""), (piped.ExitCode, piped.Output));
        Assert.Contains("standard output: ", piped.Errors, StringComparison.Ordinal);

        await File.WriteAllBytesAsync(agent.File("x.age"), piped.OutputBytes);
        CliRun opened = await CliRun.AloneAsync("open", agent.File("x.age"), "-i", KeyFile(agent), "-o", "-");
        Assert.Equal((0, ""), (opened.ExitCode, opened.Output));
        using MemoryStream core = new(opened.OutputBytes);
        Assert.True(CoreVerifier.Verify(core).IsSound);

        CliRun terminal = await CliRun.RunAsync(
            ["snapshot", "4242", "--sealed", "-o", "-", "--agent", agent.Address], isTerminal: true, default);
        Assert.Equal(2, terminal.ExitCode);
    }

    [Fact]
    public async Task A_wrong_key_a_changed_file_and_a_taken_name_are_told_apart()
    {
        await using ScriptedAgent agent = await StartAsync();
        await CliRun.AgainstAsync(agent, "snapshot", "4242", "--sealed", "-o", agent.File("x.age"));
        string key = KeyFile(agent);
        await File.WriteAllTextAsync(agent.File("other.txt"), AgeIdentity.Generate().ToFileText(DateTimeOffset.UtcNow));
        byte[] file = await File.ReadAllBytesAsync(agent.File("x.age"));
        await File.WriteAllBytesAsync(agent.File("cut.age"), file[..^5]);

        CliRun wrong = await CliRun.AloneAsync("open", agent.File("x.age"), "-i", agent.File("other.txt"));
        CliRun cut = await CliRun.AloneAsync("open", agent.File("cut.age"), "-i", key);
        CliRun missing = await CliRun.AloneAsync("open", agent.File("none.age"), "-i", key);
        Assert.Equal((4, 6, 1), (wrong.ExitCode, cut.ExitCode, missing.ExitCode));
        Assert.Contains("none of the private keys", wrong.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain(agent.FilesLeft(), name => name.StartsWith("x.", StringComparison.Ordinal) && name != "x.age");
        Assert.False(File.Exists(agent.File("cut")));

        Assert.Equal(0, (await CliRun.AloneAsync("open", agent.File("x.age"), "-i", agent.File("other.txt"), "-i", key)).ExitCode);
        Assert.Equal(1, (await CliRun.AloneAsync("open", agent.File("x.age"), "-i", key)).ExitCode);
        Assert.Equal(0, (await CliRun.AloneAsync("open", agent.File("x.age"), "-i", key, "--force")).ExitCode);
    }

    [Theory]
    [InlineData("--seal-to", "alice")]
    [InlineData("--seal-to-file", "/nonexistent/keys")]
    [InlineData("--identity", "/nonexistent/key")]
    [InlineData("--identity", "/dev/null")]
    public async Task Keys_that_are_none_are_wrong_usage(string option, string value)
    {
        await using ScriptedAgent agent = await StartAsync();
        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", option, value, "-o", agent.File("x"));
        Assert.Equal(2, run.ExitCode);
        Assert.NotEmpty(run.Errors);
        Assert.Empty(agent.FilesLeft());
    }

    [Fact]
    public async Task A_private_key_where_a_public_one_belongs_is_not_repeated()
    {
        await using ScriptedAgent agent = await StartAsync();
        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "--seal-to", s_identity.ToSecretText());
        Assert.Equal(2, run.ExitCode);
        Assert.DoesNotContain(s_identity.ToSecretText()[20..], run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keygen_writes_a_file_for_its_owner_alone_and_never_over_another()
    {
        await using ScriptedAgent agent = await StartAsync();
        CliRun run = await CliRun.AloneAsync("keygen", "-o", agent.File("new.txt"));
        Assert.Equal((0, ""), (run.ExitCode, run.Output));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(agent.File("new.txt")));
        using StreamReader file = new(agent.File("new.txt"));
        Assert.Equal($"Public key: {AgeIdentity.ParseList(file).Single().Recipient}", run.Errors.Trim());

        string before = await File.ReadAllTextAsync(agent.File("new.txt"));
        Assert.Equal(1, (await CliRun.AloneAsync("keygen", "-o", agent.File("new.txt"))).ExitCode);
        Assert.Equal(before, await File.ReadAllTextAsync(agent.File("new.txt")));

        CliRun printed = await CliRun.AloneAsync("keygen");
        Assert.Single(AgeIdentity.ParseList(new StringReader(printed.Output)));
    }

    private static string KeyFile(ScriptedAgent agent)
    {
        File.WriteAllText(agent.File("key.txt"), s_identity.ToFileText(DateTimeOffset.UtcNow));
        return agent.File("key.txt");
    }

    /// <summary>An agent that seals to our key, asked or not.</summary>
    private static async Task<ScriptedAgent> StartAsync()
    {
        ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.GetProcess = _ => new GetProcessResponse { Process = SyntheticCapture.NewProcess() };
        agent.Script.CaptureWith(SealedCapture.Parts(await SealedCapture.SealAsync(SyntheticCapture.WithMemory().Messages(), s_identity)));
        return agent;
    }
}
