using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Policy;
using Corelift.Agent.Audit;
using Corelift.Agent.Tests.Access;
using Corelift.Capture;
using Microsoft.Extensions.Logging.Abstractions;

namespace Corelift.Agent.Tests.Audit;

public sealed class AuditFileTests : IDisposable
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("corelift-audit-");

    private string Log => Path.Combine(_folder.FullName, "audit.jsonl");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Each_line_has_the_hash_of_the_one_before_and_nothing_is_readable_for_others()
    {
        using (AuditTrail trail = Open())
        {
            await trail.BeginAsync(Begin("a", "because\n\"quoted\""), CancellationToken.None);
            await trail.EndAsync(new AuditEnd("a", "ok") { Result = new AuditResult { Bytes = 5, Strategy = "direct" } });
            await trail.StopAsync();
        }

        string[] lines = File.ReadAllLines(Log);
        string hash = new('0', 64);
        for (int i = 0; i < lines.Length; i++)
        {
            using JsonDocument record = JsonDocument.Parse(lines[i]);
            Assert.Equal(i + 1, record.RootElement.GetProperty("seq").GetInt64());
            Assert.Equal(hash, record.RootElement.GetProperty("prev").GetString());
            hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines[i])));
        }

        Assert.Equal(["start", "begin", "end", "stop"], Events());
        Assert.Equal($"{lines.Length:d20} {hash}\n", File.ReadAllText(Log + ".head"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Log));
        using JsonDocument begin = JsonDocument.Parse(lines[1]);
        Assert.Equal("because\n\"quoted\"", begin.RootElement.GetProperty("reason").GetString());
        Assert.Equal("uid:1000", begin.RootElement.GetProperty("caller").GetProperty("name").GetString());
        Assert.Equal("sha256:1", begin.RootElement.GetProperty("target").GetProperty("pod").GetProperty("imageDigest").GetString());
    }

    [Fact]
    public async Task The_next_agent_closes_what_a_killed_one_left_and_takes_a_torn_line_away()
    {
        using (AuditTrail trail = Open())
        {
            await trail.BeginAsync(Begin("a"), CancellationToken.None);
            await trail.BeginAsync(Begin("b"), CancellationToken.None);
            await trail.EndAsync(new AuditEnd("a", "ok"));
        }

        File.AppendAllText(Log, "{\"seq\":5,\"time\":");
        using (Open())
        {
            Assert.Equal(["start", "begin", "begin", "end", "start", "end"], Events());
            using JsonDocument end = JsonDocument.Parse(File.ReadLines(Log).Last());
            Assert.Equal(("b", "interrupted"), (end.RootElement.GetProperty("operation").GetString(), end.RootElement.GetProperty("outcome").GetString()));
            using JsonDocument start = JsonDocument.Parse(File.ReadLines(Log).ElementAt(4));
            Assert.Equal(16, start.RootElement.GetProperty("tornBytes").GetInt32());
        }
    }

    [Fact]
    public async Task A_full_file_is_closed_and_the_chain_and_what_is_open_go_on_in_the_next()
    {
        Policy policy = new() { Current = new AccessPolicy { AuditFileBytes = 2000 } };
        using (AuditTrail trail = Open(policy))
        {
            await trail.BeginAsync(Begin("long"), CancellationToken.None);
            for (int i = 0; i < 20; i++)
            {
                await trail.BeginAsync(Begin($"{i}"), CancellationToken.None);
                await trail.EndAsync(new AuditEnd($"{i}", "ok"));
            }
        }

        string[] files = [.. Directory.GetFiles(_folder.FullName, "audit.jsonl.0*").Order(StringComparer.Ordinal), Log];
        Assert.True(files.Length > 3, $"{files.Length} files");
        string[] lines = [.. files.SelectMany(File.ReadAllLines)];
        string hash = new('0', 64);
        foreach (string line in lines)
        {
            using JsonDocument record = JsonDocument.Parse(line);
            Assert.Equal(hash, record.RootElement.GetProperty("prev").GetString());
            hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)));
        }

        // Killed between two files: the new one is not there yet.
        File.Move(Log, $"{Log}.{lines.Length:d12}");
        using (Open(policy))
        {
            Assert.Equal(["continued", "start", "end"], Events());
        }
    }

    [Fact]
    public async Task A_tail_that_was_taken_away_is_noted_by_the_next_agent()
    {
        using (AuditTrail trail = Open())
        {
            await trail.BeginAsync(Begin("a"), CancellationToken.None);
            await trail.EndAsync(new AuditEnd("a", "ok"));
        }

        File.WriteAllLines(Log, File.ReadAllLines(Log)[..^1]);
        using (Open())
        {
            using JsonDocument start = JsonDocument.Parse(File.ReadLines(Log).ElementAt(2));
            Assert.Equal(3, start.RootElement.GetProperty("missingUpTo").GetInt32());
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Where_the_disk_is_full_the_policy_says_whether_work_goes_on(bool required)
    {
        Policy policy = new() { Current = new AccessPolicy { RequiresAudit = required, AuditFileBytes = 1 } };
        using AuditTrail trail = Open(policy);
        Directory.CreateDirectory($"{Log}.000000000001"); // in the way of the file's new name: the record cannot be written
        File.WriteAllText($"{Log}.000000000001/x", string.Empty);
        if (required)
        {
            await Assert.ThrowsAsync<AuditUnavailableException>(() => trail.BeginAsync(Begin("a"), CancellationToken.None));
        }
        else
        {
            await trail.BeginAsync(Begin("a"), CancellationToken.None);
            await trail.EndAsync(new AuditEnd("a", "ok"));
        }

        Assert.True(trail.Failures > 0);
        Directory.Delete($"{Log}.000000000001", recursive: true);
        policy.Current = policy.Current with { AuditFileBytes = 1 << 20 };
        await trail.BeginAsync(Begin("b"), CancellationToken.None);
        Assert.Equal(required ? ["start", "begin"] : ["start", "end", "begin"], Events()); // an end that was kept comes first
    }

    [Fact]
    public async Task Nobody_fills_the_disk_by_asking_for_what_is_denied()
    {
        using AuditTrail trail = Open();
        for (int i = 0; i < 200; i++)
        {
            await trail.DenyAsync(Begin($"{i}"), "ACCESS_DENIED");
        }

        await trail.DenyAsync(Begin("other") with { Caller = new Caller(CallerKind.UnixPeer, "uid:5") }, "ACCESS_DENIED");
        Assert.Equal(61, Events().Count(name => name == "denied"));
    }

    [Fact]
    public void Two_agents_cannot_write_one_log()
    {
        using AuditTrail one = Open();
        Assert.Throws<IOException>(() => AuditFile.Open(Log, s_now));
    }

    [Fact]
    public void A_file_that_is_no_audit_log_is_left_alone()
    {
        File.WriteAllText(Log, "root:x:0:0\n");
        Assert.Contains("no audit record", Assert.Throws<IOException>(() => AuditFile.Open(Log, s_now)).Message, StringComparison.Ordinal);
        Assert.Equal("root:x:0:0\n", File.ReadAllText(Log));
    }

    private AuditTrail Open(Policy? policy = null) => new(AuditFile.Open(Log, s_now), policy ?? new Policy(), TimeProvider.System, NullLogger.Instance);

    private string[] Events() => [.. File.ReadLines(Log).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetString()!)];

    private static AuditBegin Begin(string operation, string reason = "") => new(
        operation, "capture", new Caller(CallerKind.UnixPeer, "uid:1000"), reason,
        PolicyDecisionTests.Target(1000) with { Pod = new PodIdentity { Namespace = "a", Name = "b", Uid = "c", Container = "d", ImageDigest = "sha256:1" } },
        ["app"], CaptureContent.Full, false);

    private sealed class Policy : IPolicySource
    {
        public AccessPolicy Current { get; set; } = AccessPolicy.None;
    }
}
