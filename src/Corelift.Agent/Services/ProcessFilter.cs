using System.Buffers;
using System.Text;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.V1;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Agent.Services;

/// <summary>The filters of ListProcesses. What costs least is looked at first.</summary>
internal sealed class ProcessFilter
{
    private const int MaxPids = 1000;
    private const int MaxNameBytes = 255;
    private const int MinContainerId = 8;
    private const int MaxContainerId = 64;
    private const int MaxComm = 15;

    private static readonly SearchValues<char> s_hexDigits = SearchValues.Create("0123456789abcdef");

    private readonly SortedSet<int> _pids = [];
    private readonly string _name;
    private readonly uint? _uid;
    private readonly string _containerId;

    /// <summary>Reads the filters of a request.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: a filter that cannot be.</exception>
    internal ProcessFilter(ListProcessesRequest request)
    {
        if (request.Pids.Count > MaxPids)
        {
            throw RpcErrors.InvalidField("pids", $"must not be more than {MaxPids}");
        }

        if (Encoding.UTF8.GetByteCount(request.Name) > MaxNameBytes)
        {
            throw RpcErrors.InvalidField("name", $"must not be longer than {MaxNameBytes} bytes");
        }

        _containerId = request.ContainerId.ToLowerInvariant();
        if (_containerId.Length > 0
            && (_containerId.Length is < MinContainerId or > MaxContainerId || _containerId.AsSpan().ContainsAnyExcept(s_hexDigits)))
        {
            throw RpcErrors.InvalidField("container_id", $"must be {MinContainerId} to {MaxContainerId} hexadecimal digits");
        }

        _name = request.Name;
        _uid = request.HasUid ? request.Uid : null;
        _pids.UnionWith(request.Pids.Where(pid => pid is > 0 and <= int.MaxValue).Select(pid => (int)pid));
        NamesPids = request.Pids.Count > 0;
    }

    /// <summary>Whether only some pids are asked for.</summary>
    internal bool NamesPids { get; }

    /// <summary>The pids to look at, in ascending order.</summary>
    internal IEnumerable<int> Candidates() => NamesPids ? _pids : ProcessTable.ListPids();

    /// <summary>Whether the name fits: comm, or the executable's file name.</summary>
    internal bool TakesName(TaskStat stat, ProcessDirectory directory)
    {
        if (_name.Length == 0 || stat.Name == _name)
        {
            return true;
        }

        // A comm that was cut may hide the name; one that was changed, too. The link tells.
        try
        {
            string path = directory.ReadLink("exe");
            const string Deleted = " (deleted)";
            path = path.EndsWith(Deleted, StringComparison.Ordinal) ? path[..^Deleted.Length] : path;
            return Path.GetFileName(path.AsSpan()).SequenceEqual(_name);
        }
        catch (SyscallException)
        {
            // Refused, or a zombie, which has none: what can be told is whether the cut name fits.
            return stat.Name.Length == MaxComm && _name.StartsWith(stat.Name, StringComparison.Ordinal);
        }
    }

    /// <summary>Whether the uid fits.</summary>
    internal bool TakesUid(TaskStatus status) => _uid is not uint uid || status.Uid.Real == uid;

    /// <summary>Whether the container fits.</summary>
    internal bool TakesContainer(CgroupPath cgroup) =>
        _containerId.Length == 0 || cgroup.ContainerId.StartsWith(_containerId, StringComparison.Ordinal);
}
