using System.Text.Json;
using Corelift.Agent.Access;
using Corelift.Capture;

namespace Corelift.Agent.Audit;

/// <summary>A record of the audit log.</summary>
internal interface IAuditRecord
{
    /// <summary>Writes its members, <c>event</c> first.</summary>
    void Write(Utf8JsonWriter json);

    /// <summary>Says what it means for the operations that are open.</summary>
    void Note(HashSet<string> open);
}

/// <summary>What is done to a target: written before it is done. Never holds memory, and nothing of an environment.</summary>
/// <param name="Operation">Id; the end has the same.</param>
/// <param name="Action">stop, capture, read-registers, read-memory or measure.</param>
/// <param name="Caller">Who.</param>
/// <param name="Reason">Why, as the client says; may be empty.</param>
/// <param name="Target">To what.</param>
/// <param name="CommandLine">Its arguments, redacted.</param>
/// <param name="Content">How much memory; null for none.</param>
/// <param name="IncludesSecrets">Whether secret memory is in it.</param>
internal sealed record AuditBegin(
    string Operation, string Action, Caller Caller, string Reason, TargetIdentity Target, IReadOnlyList<string> CommandLine, CaptureContent? Content, bool IncludesSecrets)
    : IAuditRecord
{
    /// <summary>begin, changed (the target was another than at the beginning when it was seized) or denied.</summary>
    internal string Event { get; init; } = "begin";

    /// <summary>Public keys that what is read is sealed to; empty where it goes in the clear.</summary>
    internal IReadOnlyList<string> Recipients { get; init; } = [];

    /// <summary>Why it was denied.</summary>
    internal string Because { get; init; } = string.Empty;

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("event"u8, Event);
        json.WriteString("operation"u8, Operation);
        json.WriteString("action"u8, Action);
        if (Because.Length > 0)
        {
            json.WriteString("outcome"u8, Because);
        }

        json.WriteStartObject("caller"u8);
        json.WriteString("kind"u8, Caller.Kind.ToString());
        json.WriteString("name"u8, Caller.Name);
        json.WriteEndObject();
        json.WriteString("reason"u8, Reason);
        if (Content is { } content)
        {
            json.WriteString("content"u8, content.ToString().ToLowerInvariant());
            json.WriteBoolean("secrets"u8, IncludesSecrets);
        }

        if (Recipients.Count > 0)
        {
            json.WriteStartArray("recipients"u8);
            foreach (string recipient in Recipients)
            {
                json.WriteStringValue(recipient);
            }

            json.WriteEndArray();
        }

        WriteTarget(json);
    }

    /// <inheritdoc/>
    public void Note(HashSet<string> open)
    {
        if (Event == "begin")
        {
            open.Add(Operation);
        }
    }

    private void WriteTarget(Utf8JsonWriter json)
    {
        json.WriteStartObject("target"u8);
        json.WriteNumber("pid"u8, Target.Process.Pid);
        json.WriteNumber("startTimeTicks"u8, Target.Process.StartTimeTicks);
        json.WriteStartArray("uids"u8);
        foreach (uint uid in Target.Uids)
        {
            json.WriteNumberValue(uid);
        }

        json.WriteEndArray();
        json.WriteString("executable"u8, Target.Executable);
        json.WriteStartArray("commandLine"u8);
        foreach (string argument in CommandLine)
        {
            json.WriteStringValue(argument);
        }

        json.WriteEndArray();
        json.WriteString("cgroup"u8, Target.Cgroup);
        json.WriteBoolean("dumpable"u8, Target.IsDumpable);
        if (Target.ContainerId.Length > 0)
        {
            json.WriteString("containerId"u8, Target.ContainerId);
        }

        if (Target.Pod is { } pod)
        {
            json.WriteStartObject("pod"u8);
            json.WriteString("namespace"u8, pod.Namespace);
            json.WriteString("name"u8, pod.Name);
            json.WriteString("uid"u8, pod.Uid);
            json.WriteString("container"u8, pod.Container);
            json.WriteString("image"u8, pod.Image);
            json.WriteString("imageDigest"u8, pod.ImageDigest);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}

/// <summary>How something ended: written after it.</summary>
/// <param name="Operation">Id of the beginning.</param>
/// <param name="Outcome">ok, cancelled, interrupted, or the reason of the error.</param>
internal sealed record AuditEnd(string Operation, string Outcome) : IAuditRecord
{
    /// <summary>What was had of the target.</summary>
    internal AuditResult Result { get; init; } = new();

    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("event"u8, "end"u8);
        json.WriteString("operation"u8, Operation);
        json.WriteString("outcome"u8, Outcome);
        if (Outcome != AuditTrail.Interrupted)
        {
            json.WriteNumber("bytes"u8, Result.Bytes);
            json.WriteNumber("stoppedMicroseconds"u8, (long)Result.Stopped.TotalMicroseconds);
            json.WriteNumber("threads"u8, Result.Threads);
            json.WriteString("strategy"u8, Result.Strategy);
        }
    }

    /// <inheritdoc/>
    public void Note(HashSet<string> open) => open.Remove(Operation);
}

/// <summary>What was had of a target.</summary>
internal sealed record AuditResult
{
    /// <summary>Bytes of memory.</summary>
    internal long Bytes { get; init; }

    /// <summary>How long it was stopped.</summary>
    internal TimeSpan Stopped { get; init; }

    /// <summary>Number of tasks.</summary>
    internal int Threads { get; init; }

    /// <summary>Strategy of a capture; empty for others.</summary>
    internal string Strategy { get; init; } = string.Empty;
}

/// <summary>First line of a file after another one.</summary>
internal sealed record AuditContinued(string From, IReadOnlyCollection<string> Open) : IAuditRecord
{
    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("event"u8, "continued"u8);
        json.WriteString("from"u8, From);
        json.WriteStartArray("open"u8);
        foreach (string operation in Open)
        {
            json.WriteStringValue(operation);
        }

        json.WriteEndArray();
    }

    /// <inheritdoc/>
    public void Note(HashSet<string> open)
    {
    }
}

/// <summary>The agent's own life: <c>start</c> and <c>stop</c>.</summary>
internal sealed record AuditLife(string Event, long TornBytes, long MissingUpTo) : IAuditRecord
{
    /// <inheritdoc/>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteString("event"u8, Event);
        json.WriteString("version"u8, AgentVersion.Text);
        json.WriteString("host"u8, Environment.MachineName);
        json.WriteNumber("agentPid"u8, Environment.ProcessId);
        if (TornBytes > 0)
        {
            json.WriteNumber("tornBytes"u8, TornBytes);
        }

        if (MissingUpTo > 0)
        {
            json.WriteNumber("missingUpTo"u8, MissingUpTo);
        }
    }

    /// <inheritdoc/>
    public void Note(HashSet<string> open)
    {
    }
}
