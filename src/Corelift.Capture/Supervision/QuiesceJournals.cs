using System.Globalization;
using Corelift.Linux;
using Corelift.Linux.Scheduling;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>
/// Journals of quiesced targets: files of the state directory, or without a name where there is none. A worker that was killed
/// leaves a target on one CPU at lowest priority; the supervisor has its schedules given back, or the next one where both were
/// killed. A front end never sees a journal: what stands in it is done to a target.
/// </summary>
internal sealed class QuiesceJournals
{
    private const string Suffix = ".quiesce";
    private readonly string? _directory;

    internal QuiesceJournals(string? directory) => _directory = directory;

    /// <summary>An empty journal for a target.</summary>
    /// <exception cref="IOException">The state directory takes no file.</exception>
    internal SafeFileHandle Open(ProcessRef target)
    {
        if (_directory is null || !Directory.Exists(_directory))
        {
            return QuiesceJournal.CreateUnnamed();
        }

        File.Delete(PathOf(target));
        return File.OpenHandle(PathOf(target), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
    }

    /// <summary>Whether a target waits for its schedules.</summary>
    internal static bool IsPending(SafeFileHandle journal) => RandomAccess.GetLength(journal) > 0;

    /// <summary>Closes a journal, and removes it unless a target waits for its schedules still: then it stays for the next start.</summary>
    internal void Close(ProcessRef target, SafeFileHandle journal)
    {
        bool isPending = IsPending(journal);
        journal.Dispose();
        if (_directory is not null && !isPending)
        {
            File.Delete(PathOf(target));
        }
    }

    /// <summary>Journals that a supervisor before this one left: pid of the target, and the path.</summary>
    internal List<(string Pid, string Path)> FindLeftovers()
    {
        var found = new List<(string, string)>();
        foreach (string path in _directory is null || !Directory.Exists(_directory) ? [] : Directory.GetFiles(_directory, "*" + Suffix))
        {
            found.Add((Path.GetFileName(path).Split('-')[0], path));
        }

        return found;
    }

    private string PathOf(ProcessRef target) =>
        Path.Combine(_directory!, string.Create(CultureInfo.InvariantCulture, $"{target.Pid}-{target.StartTimeTicks}{Suffix}"));
}
