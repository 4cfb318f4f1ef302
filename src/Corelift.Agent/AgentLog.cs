using System.Globalization;
using System.Text;
using Corelift.Capture;

namespace Corelift.Agent;

/// <summary>
/// Everything the agent logs. Event ids are stable: 1 to 19 life of the agent, 20 to 39 access, 40 to 59 calls, 90 to 99 Kubernetes. Text that
/// comes from targets or clients goes through <see cref="Escape"/> first.
/// </summary>
internal static partial class AgentLog
{
    [LoggerMessage(1, LogLevel.Information, "corelift-agent {Version} serves on {Address}")]
    internal static partial void Serving(this ILogger logger, string version, string address);

    [LoggerMessage(2, LogLevel.Information, "kernel {Release} on {Architecture}: {Features}")]
    internal static partial void KernelFeaturesFound(this ILogger logger, string release, string architecture, string features);

    [LoggerMessage(3, LogLevel.Warning, "holds more capabilities than it needs ({Capabilities}): give it CAP_SYS_PTRACE and CAP_SYS_NICE alone")]
    internal static partial void ExtraCapabilities(this ILogger logger, string capabilities);

    [LoggerMessage(4, LogLevel.Warning, "runs as the uid that stands for nobody ({Uid}): every program of that user may call it; give it a user of its own")]
    internal static partial void RunsAsNobody(this ILogger logger, uint uid);

    [LoggerMessage(5, LogLevel.Warning, "listens on {Address} without authentication: every user of this host can stop and read any process through it")]
    internal static partial void ListensWithoutAuthentication(this ILogger logger, string address);

    [LoggerMessage(6, LogLevel.Warning, "Yama's kernel.yama.ptrace_scope is 3: the kernel will refuse every stop and capture until the host is started with another value")]
    internal static partial void YamaForbidsTracing(this ILogger logger);

    [LoggerMessage(7, LogLevel.Information, "stopping: of {Count} stops and captures, stops end now, and captures have a grace")]
    internal static partial void Stopping(this ILogger logger, int count);

    [LoggerMessage(8, LogLevel.Information, "stopped: nobody is held")]
    internal static partial void Stopped(this ILogger logger);

    [LoggerMessage(9, LogLevel.Information, "{What}")]
    internal static partial void CleanedUp(this ILogger logger, string what);

    [LoggerMessage(10, LogLevel.Warning, "could not look for what an earlier agent left")]
    internal static partial void CleanUpFailed(this ILogger logger, Exception failure);

    [LoggerMessage(94, LogLevel.Warning, "{What}; the agent's next start tries again")]
    internal static partial void LeftBehind(this ILogger logger, string what);

    [LoggerMessage(11, LogLevel.Information, "serves metrics and health on {Address}")]
    internal static partial void ServesMetrics(this ILogger logger, string address);

    [LoggerMessage(12, LogLevel.Warning, "{Count} captures did not end within the grace of {GraceSeconds:F0} s, and are ended")]
    internal static partial void GraceIsOver(this ILogger logger, int count, double graceSeconds);

    [LoggerMessage(13, LogLevel.Error, "not ready: {Reason}")]
    internal static partial void NotReady(this ILogger logger, string reason);

    [LoggerMessage(15, LogLevel.Information, "every snapshot is sealed to {Count} keys: {Recipients}")]
    internal static partial void SealsEverySnapshot(this ILogger logger, int count, string recipients);

    [LoggerMessage(18, LogLevel.Error, "the supervisor has ended, and whoever was held runs: this front end ends, too")]
    internal static partial void SupervisorGone(this ILogger logger);

    [LoggerMessage(20, LogLevel.Warning, "refused {Method} to {Peer}: {Why}")]
    internal static partial void CallRefused(this ILogger logger, string method, string peer, string why);

    [LoggerMessage(21, LogLevel.Information, "TLS certificate of {Subject}, valid until {Until}; {Cas} CAs of clients")]
    internal static partial void TlsFilesTaken(this ILogger logger, string subject, string until, int cas);

    [LoggerMessage(22, LogLevel.Warning, "changed TLS files are not taken, and the earlier ones stay: {Problem}")]
    internal static partial void TlsFilesNotTaken(this ILogger logger, string problem);

    [LoggerMessage(23, LogLevel.Warning, "refused a connection of {Subject}: {Why}")]
    internal static partial void CertificateRefused(this ILogger logger, string subject, string why);

    [LoggerMessage(24, LogLevel.Warning, "the keys of the token issuer are not read from {Source}: {Problem}")]
    internal static partial void IssuerKeysNotTaken(this ILogger logger, string source, string problem);

    [LoggerMessage(25, LogLevel.Warning, "refused a token of {Issuer}: {Why}")]
    internal static partial void TokenRefused(this ILogger logger, string issuer, string why);

    [LoggerMessage(26, LogLevel.Warning, "whoever has a certificate or a token may do everything (--allow-authenticated)")]
    internal static partial void AllowsAuthenticated(this ILogger logger);

    [LoggerMessage(30, LogLevel.Warning, "denied: {Caller} may not {What} process {Pid}: {Why}")]
    internal static partial void AccessDenied(this ILogger logger, string caller, string what, int pid, string why);

    [LoggerMessage(31, LogLevel.Warning, "denied: what {Caller} may do could not be found out: {Why}")]
    internal static partial void AccessUnknown(this ILogger logger, string caller, string why);

    [LoggerMessage(32, LogLevel.Information, "policy {Path} holds, with {Rules} rules")]
    internal static partial void PolicyTaken(this ILogger logger, string path, int rules);

    [LoggerMessage(33, LogLevel.Error, "policy {Path} is wrong and was not taken, the one before holds on: {Problems}")]
    internal static partial void PolicyNotTaken(this ILogger logger, string path, string problems);

    [LoggerMessage(34, LogLevel.Error, "audit record not written: {Why}")]
    internal static partial void AuditFailed(this ILogger logger, string why);

    [LoggerMessage(35, LogLevel.Information, "audit {Operation} {Event}: {Action} by {Caller}, reason '{Reason}', process {Pid} {Executable}, pod {Namespace}/{Pod} {PodUid} {ImageDigest}, content {Content}, secrets {Secrets}, record {Sequence} {Hash}")]
    internal static partial void AuditBegan(
        this ILogger logger, string operation, string @event, string action, string caller, string reason, int pid, string executable, string @namespace,
        string pod, string podUid, string imageDigest, string content, bool secrets, long sequence, string hash);

    [LoggerMessage(36, LogLevel.Information, "audit {Operation} end: {Outcome}, {Bytes} bytes, stopped {StoppedMs:F3} ms, {Threads} tasks, strategy {Strategy}, record {Sequence}")]
    internal static partial void AuditEnded(
        this ILogger logger, string operation, string outcome, long bytes, double stoppedMs, int threads, string strategy, long sequence);

    [LoggerMessage(37, LogLevel.Warning, "audit {Operation} denied: {Action} by {Caller} of process {Pid}: {Outcome}")]
    internal static partial void AuditDenied(this ILogger logger, string operation, string action, string caller, int pid, string outcome);

    [LoggerMessage(38, LogLevel.Warning, "audit {Operation} interrupted: an agent before this one ended in the middle of it")]
    internal static partial void AuditInterrupted(this ILogger logger, string operation);

    [LoggerMessage(39, LogLevel.Error, "the audit log ends at record {Sequence}, and had {Known}: its tail was taken away")]
    internal static partial void AuditTailMissing(this ILogger logger, long sequence, long known);

    [LoggerMessage(40, LogLevel.Error, "{Method} failed unexpectedly, error id {ErrorId}")]
    internal static partial void CallFailed(this ILogger logger, string method, string errorId, Exception failure);

    [LoggerMessage(41, LogLevel.Information, "capture {CaptureId}: process {Pid} taken by {Strategy}, {Threads} tasks, paused {PauseMs:F3} ms")]
    internal static partial void CaptureTaken(ILogger logger, string captureId, int pid, CaptureStrategy strategy, int threads, double pauseMs);

    [LoggerMessage(42, LogLevel.Information, "capture {CaptureId}: {Bytes} bytes served in {ElapsedMs:F0} ms")]
    internal static partial void CaptureServed(ILogger logger, string captureId, ulong bytes, double elapsedMs);

    [LoggerMessage(43, LogLevel.Information, "process {Pid} stopped under a lease, {Threads} tasks, time to live {TimeToLiveMs:F0} ms")]
    internal static partial void TargetStopped(ILogger logger, int pid, int threads, double timeToLiveMs);

    [LoggerMessage(44, LogLevel.Information, "process {Pid} resumed after {StoppedMs:F1} ms")]
    internal static partial void TargetResumed(ILogger logger, int pid, double stoppedMs);

    [LoggerMessage(45, LogLevel.Information, "process {Pid} is resumed: the connection that held it closed")]
    internal static partial void ClientGone(ILogger logger, int pid);

    [LoggerMessage(90, LogLevel.Information, "asks the Kubernetes API server at {Server}; tokens of callers must be made for audience {Audience}")]
    internal static partial void KubernetesFound(this ILogger logger, string server, string audience);

    [LoggerMessage(91, LogLevel.Warning, "does not know its node, and so no pods: set the environment variable NODE_NAME from the field spec.nodeName, or give --node-name")]
    internal static partial void NodeUnknown(this ILogger logger);

    [LoggerMessage(92, LogLevel.Information, "knows {Count} pods of node {Node}")]
    internal static partial void PodsKnown(this ILogger logger, int count, string node);

    [LoggerMessage(93, LogLevel.Warning, "cannot follow the pods of node {Node}: {Message}. Its service account needs the verbs list and watch on pods; tries on")]
    internal static partial void PodsUnknown(this ILogger logger, string node, string message);

    /// <summary>Makes text of a target safe for a line of a log, a terminal or a status message: control characters become \xNN.</summary>
    internal static string Escape(string text)
    {
        if (!text.Any(NeedsEscape))
        {
            return text;
        }

        var safe = new StringBuilder(text.Length + 16);
        foreach (char letter in text)
        {
            _ = NeedsEscape(letter)
                ? safe.Append(CultureInfo.InvariantCulture, $"\\x{(int)letter:x2}")
                : safe.Append(letter);
        }

        return safe.ToString();
    }

    // Controls, and the format characters that turn the direction of text round or hide it.
    private static bool NeedsEscape(char letter) =>
        char.IsControl(letter) || char.GetUnicodeCategory(letter) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
