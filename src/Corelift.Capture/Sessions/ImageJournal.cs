using System.Globalization;
using Corelift.Linux;
using Corelift.Linux.Procfs;
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

    /// <summary>Dead children of a target that have no exit signal: images. By their pid in the target's pid namespace.</summary>
    internal static List<int> FindDeadImages(ProcessRef target)
    {
        var images = new List<int>();
        foreach (string path in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int pid))
            {
                continue;
            }

            try
            {
                using ProcessDirectory directory = ProcessDirectory.Open(pid);
                TaskStat stat = directory.ReadStat();
                if (stat.ParentPid == target.Pid && stat.ExitSignal == 0 && stat.IsZombie)
                {
                    TaskStatus status = directory.ReadStatus();
                    images.Add(status.NamespaceTids.Count > 0 ? status.NamespaceTids[^1] : pid);
                }
            }
            catch (SyscallException)
            {
                // Gone meanwhile.
            }
        }

        return images;
    }

    private string PathOf(ProcessRef target) =>
        Path.Combine(_directory!, string.Create(CultureInfo.InvariantCulture, $"{target.Pid}-{target.StartTimeTicks}{Suffix}"));
}
