using Corelift.Agent.Access;
using Corelift.Agent.Audit;
using Corelift.Capture.Sessions;

namespace Corelift.Agent.Services;

/// <summary>Says, when a capture ends in whatever way, what was had of its target: for its record and its quotas.</summary>
internal sealed class CaptureMeter(Operation operation, ChunkWriter chunks) : IDisposable
{
    /// <summary>The snapshot, once it is taken.</summary>
    internal SnapshotSession? Session { get; set; }

    /// <inheritdoc/>
    public void Dispose() => operation.Result = new AuditResult
    {
        Bytes = (long)chunks.MemoryBytes,
        Stopped = (Session?.StoppedInAll ?? Session?.Pause ?? TimeSpan.Zero) + (Session?.Setup ?? TimeSpan.Zero),
        Threads = Session?.ThreadCount ?? 0,
        Strategy = Session?.Strategy.ToString().ToLowerInvariant() ?? string.Empty,
    };
}
