using System.Globalization;
using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Capture.Sessions;

/// <summary>
/// Remembers on disk which targets an image may have been made of, so that an agent that comes after one that was killed finds
/// what that left: a dead image that nobody but the target can reap.
/// </summary>
internal sealed class ImageJournal
{
    private const string Suffix = ".image";
    private readonly string? _directory;

    internal ImageJournal(string? directory) => _directory = directory;

    /// <summary>Notes a target before an image of it is made.</summary>
    internal void Note(ProcessRef target)
    {
        if (_directory is not null)
        {
            File.WriteAllBytes(PathOf(target), []);
        }
    }

    /// <summary>Forgets a target whose image is gone.</summary>
    internal void Forget(ProcessRef target)
    {
        if (_directory is not null)
        {
            File.Delete(PathOf(target));
        }
    }

    /// <summary>Targets that were noted and not forgotten.</summary>
    internal List<ProcessRef> Read()
    {
        var targets = new List<ProcessRef>();
        foreach (string path in _directory is null || !Directory.Exists(_directory) ? [] : Directory.GetFiles(_directory, "*" + Suffix))
        {
            string[] parts = Path.GetFileNameWithoutExtension(path).Split('-');
            if (parts.Length == 2
                && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && ulong.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong start))
            {
                targets.Add(new ProcessRef(pid, start));
            }
        }

        return targets;
    }

    /// <summary>
    /// Dead children of a target that have no exit signal: images. One that dies with its tracer takes a moment, and on a busy
    /// host a thread that a lost worker left in a call may make its clone long after: both are waited for, for some seconds.
    /// </summary>
    /// <returns>Their pids in the target's pid namespace; null where one may still come.</returns>
    internal static async Task<List<int>?> FindDeadImagesAsync(ProcessRef target)
    {
        const int Attempts = 300;
        var images = new List<int>();
        for (int i = 0; i < Attempts; i++)
        {
            images.Clear();
            bool isInCall = IsInCall(target); // first: what a call makes is there before the thread is out of it
            if (!FindImages(target, images) && !isInCall)
            {
                return images;
            }

            await Task.Delay(20).ConfigureAwait(false);
        }

        return null;
    }

    /// <summary>Whether a target has a dead image of this number: nothing else is reaped for anybody.</summary>
    /// <param name="target">The target.</param>
    /// <param name="pidInTarget">The image's pid in the target's pid namespace.</param>
    internal static bool IsDeadImage(ProcessRef target, int pidInTarget)
    {
        var dead = new List<int>();
        _ = FindImages(target, dead, onlyDead: true);
        return dead.Contains(pidInTarget);
    }

    /// <returns>Whether one is still alive.</returns>
    private static bool FindImages(ProcessRef target, List<int> images, bool onlyDead = false)
    {
        bool alive = false;
        foreach (int pid in ProcessTable.ListPids())
        {
            try
            {
                using ProcessDirectory directory = ProcessDirectory.Open(pid);
                TaskStat stat = directory.ReadStat();
                if (stat.ParentPid == target.Pid && stat.ExitSignal == 0 && (stat.IsZombie || !onlyDead))
                {
                    TaskStatus status = directory.ReadStatus();
                    alive |= !stat.IsZombie;
                    images.Add(status.NamespaceTids.Count > 0 ? status.NamespaceTids[^1] : pid);
                }
            }
            catch (SyscallException)
            {
                // Gone meanwhile.
            }
        }

        return alive;
    }

    /// <summary>
    /// Whether a thread of a target is in a call that it was made to make: it has the mask of such calls until it returns from
    /// them through its frame. One that is job-stopped stays there until somebody puts it back. One that is traced is still held by
    /// the lost worker: a process closes its sockets, which is how we hear of its end, before it lets its tracees go.
    /// </summary>
    private static bool IsInCall(ProcessRef target) => TargetFacts.AnyTask(
        target, status => status.BlockedSignals == RemoteCaller.BlockedInCalls && status.State is not ('T' or 'Z' or 'X'));

    private string PathOf(ProcessRef target) =>
        Path.Combine(_directory!, string.Create(CultureInfo.InvariantCulture, $"{target.Pid}-{target.StartTimeTicks}{Suffix}"));
}
