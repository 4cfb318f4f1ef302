using System.Security.Cryptography;
using Corelift.Capture;

namespace Corelift.Agent.Access.Policy;

/// <summary>The policy that holds now. Calls that are decided keep the one that they were decided by.</summary>
internal interface IPolicySource
{
    /// <summary>The policy; <see cref="AccessPolicy.None"/> without a file.</summary>
    AccessPolicy Current { get; }
}

/// <summary>Of an agent without a policy file.</summary>
internal sealed class NoPolicy : IPolicySource
{
    /// <inheritdoc/>
    public AccessPolicy Current => AccessPolicy.None;
}

/// <summary>
/// A policy file, read again when its content changes. A new one that is wrong is not taken: the one before goes on, and the
/// log says so. The content is compared, not times: Kubernetes swaps symbolic links, editors replace files.
/// </summary>
internal sealed class PolicyStore : BackgroundService, IPolicySource, IRightsSource
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly string _path;
    private readonly ILogger _log;
    private byte[] _digest;
    private bool _isBroken;
    private volatile AccessPolicy _current;

    /// <summary>Reads the file.</summary>
    /// <exception cref="PolicyException">It is wrong: an agent does not start with it.</exception>
    internal PolicyStore(string path, ILogger log)
    {
        _path = path;
        _log = log;
        byte[] bytes = Read(path);
        _digest = SHA256.HashData(bytes);
        _current = PolicyReader.Parse(bytes);
    }

    /// <inheritdoc/>
    public AccessPolicy Current => _current;

    /// <inheritdoc/>
    public ValueTask<bool> AllowsAsync(
        Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_current.Rules.Any(rule => rule.Refuses(caller, verb, content, target) is null));

    /// <summary>Looks at the file now.</summary>
    internal void Reload()
    {
        try
        {
            byte[] bytes = Read(_path);
            byte[] digest = SHA256.HashData(bytes);
            if (digest.AsSpan().SequenceEqual(_digest))
            {
                _isBroken = false; // it was not there for a moment
                return;
            }

            _digest = digest;
            _current = PolicyReader.Parse(bytes);
            _isBroken = false;
            _log.PolicyTaken(_path, _current.Rules.Count);
        }
        catch (PolicyException failure)
        {
            if (!_isBroken || failure.Problems[0].Line > 0)
            {
                _log.PolicyNotTaken(_path, AgentLog.Escape(failure.Message));
            }

            _isBroken = failure.Problems[0].Line == 0;
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            Reload();
        }
    }

    private static byte[] Read(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new PolicyException([new PolicyProblem(0, $"the file cannot be read: {failure.Message}")]);
        }
    }
}
