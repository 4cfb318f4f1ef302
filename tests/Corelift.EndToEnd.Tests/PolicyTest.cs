using System.Text.Json;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>A test whose agent has a policy file and an audit log. Callers of any uid connect as members of the socket's group.</summary>
public abstract class PolicyTest : AgentTest
{
    /// <summary>Rights of root: all.</summary>
    protected const string RootMayAll = """{ "name": "root", "who": [{ "uid": 0 }], "verbs": ["inspect", "stop", "snapshot", "snapshot-secrets"], "content": "full", "targets": "all" }""";

    /// <inheritdoc/>
    protected override AgentOptions Options
    {
        get
        {
            File.WriteAllText(PolicyPath, Policy);
            return new AgentOptions { Uid = 0, Arguments = ["--policy", PolicyPath, "--audit-log", AuditPath] };
        }
    }

    /// <summary>The policy file.</summary>
    protected abstract string Policy { get; }

    /// <summary>Where it lies.</summary>
    protected string PolicyPath => Scratch.File("policy.json");

    /// <summary>Where the audit log lies.</summary>
    protected virtual string AuditPath => Scratch.File("audit.jsonl");

    /// <summary>A connection of a user who is in the socket's group.</summary>
    protected GrpcChannel ConnectAs(uint uid) => PeerChannel.Connect(Agent.SocketPath, uid, uid, 0);

    /// <summary>The records of the audit log so far.</summary>
    protected JsonElement[] Audit() => [.. File.ReadAllLines(AuditPath).Select(line => JsonDocument.Parse(line).RootElement)];

    /// <summary>A policy of rules and whatever else.</summary>
    protected static string PolicyOf(string rest, params string[] rules) => $$"""{ "version": 1, "rules": [{{string.Join(",\n", rules)}}]{{rest}} }""";

    /// <summary>The process as a request names it.</summary>
    protected static ProcessRef Ref(LiveProcess target) => new() { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime };

    /// <summary>Reads a capture to its end.</summary>
    protected static async Task<CaptureStream> CaptureAsync(
        GrpcChannel channel, LiveProcess target, Content content = Content.Default, Strategy strategy = Strategy.Direct, bool secrets = false, string reason = "")
    {
        CaptureRequest request = CaptureStream.Request(target, strategy, content);
        request.Options.IncludeSecrets = secrets;
        request.Reason = reason;
        return await CaptureStream.ReadAsync(channel, request);
    }

    /// <summary>Reads a stream to its end.</summary>
    protected static async Task ReadAllAsync<T>(AsyncServerStreamingCall<T> call)
    {
        using (call)
        {
            await foreach (T message in call.ResponseStream.ReadAllAsync())
            {
                _ = message;
            }
        }
    }
}
