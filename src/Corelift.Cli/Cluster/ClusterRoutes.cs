using System.Net.Sockets;
using Corelift.Cli.Input;
using Corelift.Client;

namespace Corelift.Cli.Cluster;

/// <summary>Ways to agents of a cluster.</summary>
/// <param name="access">The cluster.</param>
/// <param name="wishes">What the user says of it.</param>
/// <param name="options">How agents are talked to, and who one is to them.</param>
internal sealed class ClusterRoutes(ClusterAccess access, ClusterWishes wishes, CoreliftClientOptions options) : IDisposable
{
    private const int MostNames = 10;
    private static readonly TimeSpan s_tokenLifetime = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(15); // two handshakes, the first of them through the API server

    private readonly ClusterApi _api = new(access);
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private string? _token;

    internal AgentPods Agents => new(_api, wishes);

    internal string Namespace => wishes.Namespace ?? access.Namespace;

    /// <summary>A pod.</summary>
    /// <exception cref="ClusterException">There is none of the name; the message has those that are like it.</exception>
    internal async Task<Pod> PodAsync(string name, CancellationToken cancellation) =>
        await _api.FindPodAsync(Namespace, name, cancellation) ?? throw await NoPodAsync(name, cancellation);

    /// <summary>The pods of a namespace.</summary>
    internal Task<List<Pod>> PodsAsync(string space, CancellationToken cancellation) => _api.ListPodsAsync(space, null, null, cancellation);

    /// <summary>The agent that is responsible for a pod: the one beside it, else that of its node.</summary>
    internal async Task<AgentPod> AgentOfAsync(Pod pod, CancellationToken cancellation) =>
        AgentPods.Beside(pod) is { } beside ? beside
        : pod.Node.Length > 0 ? await Agents.OnNodeAsync(pod.Node, cancellation)
        : throw new ClusterException($"pod {pod.Namespace}/{pod.Name} is on no node yet ({pod.Status?.Phase ?? "phase unknown"})", ExitCode.TargetGone);

    /// <summary>Prepares a connection to an agent.</summary>
    /// <exception cref="ClusterException">The token that was asked for cannot be made.</exception>
    internal async Task<CoreliftClient> ConnectAsync(AgentPod agent, CancellationToken cancellation)
    {
        string? token = wishes.ServiceAccount is null ? null
            : agent.IsSidecar ? throw new ClusterException(
                $"{agent.Text} asks no API server, and so takes no service account's token: leave --service-account out, and show a certificate (--cert, --key)", ExitCode.Usage)
            : await TokenAsync(cancellation);
        string text = $"https://{agent.Pod.Name}.{agent.Pod.Namespace}.pod:{agent.Port}";
        AgentAddress address = AgentAddress.TryParse(text, out AgentAddress? parsed, out _) ? parsed : AgentAddress.Parse($"https://agent:{agent.Port}");
        return CoreliftClient.Connect(address, options with
        {
            ConnectTimeout = s_connectTimeout,
            ServerName = options.ServerName ?? agent.ServerName,
            TokenFile = token is null ? options.TokenFile : null,
            Token = token is null ? null : () => token,
            Open = async cancel => await OpenAsync(agent, cancel),
        });
    }

    public void Dispose()
    {
        _api.Dispose();
        _oneAtATime.Dispose();
    }

    private async Task<Stream> OpenAsync(AgentPod agent, CancellationToken cancellation)
    {
        try
        {
            return wishes.Way == ClusterWay.Direct || (wishes.Way == ClusterWay.Auto && access.IsInside)
                ? await ReachAsync(agent, cancellation)
                : await _api.ForwardAsync(agent.Pod.Namespace, agent.Pod.Name, agent.Port, cancellation);
        }
        catch (ClusterException failure)
        {
            throw new IOException(failure.Message, failure);
        }
    }

    private static async Task<Stream> ReachAsync(AgentPod agent, CancellationToken cancellation)
    {
        string address = agent.Pod.Status?.Address ?? "";
        Socket? socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, agent.Port, cancellation);
            NetworkStream stream = new(socket, ownsSocket: true);
            socket = null; // the stream's now
            return stream;
        }
        catch (Exception failure) when (failure is SocketException or ArgumentException)
        {
            throw new IOException(
                $"{agent.Text} cannot be reached at its pod's address, '{address}' port {agent.Port}: {failure.Message}. A NetworkPolicy can be the cause; --via forward goes through the API server", failure);
        }
        finally
        {
            socket?.Dispose();
        }
    }

    /// <summary>One token for the whole run.</summary>
    private async Task<string> TokenAsync(CancellationToken cancellation)
    {
        await _oneAtATime.WaitAsync(cancellation);
        try
        {
            (string space, string name) = wishes.ServiceAccount!.Split('/') switch
            {
                [{ Length: > 0 } account] => (Namespace, account),
                [{ Length: > 0 } of, { Length: > 0 } account] => (of, account),
                _ => throw new ClusterException($"'{wishes.ServiceAccount}' is no service account; write NAME or NAMESPACE/NAME", ExitCode.Usage),
            };
            return _token ??= await _api.CreateTokenAsync(space, name, wishes.Audience, s_tokenLifetime, cancellation);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private async Task<ClusterException> NoPodAsync(string name, CancellationToken cancellation)
    {
        string[] names;
        try
        {
            names = [.. (await PodsAsync(Namespace, cancellation)).Select(pod => pod.Name)];
        }
        catch (ClusterException)
        {
            names = []; // who may get pods may not be let list them
        }

        string[] begin = [.. names.Where(each => each.StartsWith(name, StringComparison.Ordinal)).Take(MostNames)];
        string meant = begin.Length > 0 ? $"; there are {string.Join(", ", begin)}"
            : NearestName.Find(name, names) is { } near ? $"; did you mean '{near}'?"
            : wishes.Namespace is null ? "; name another namespace with -n" : "";
        return new ClusterException($"there is no pod '{name}' in namespace {Namespace} of {access.Origin}{meant}", ExitCode.TargetGone);
    }
}
