using System.Globalization;
using Corelift.Linux;
using Corelift.Linux.Scheduling;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Sessions;

/// <summary>
/// Journals of quiesced targets: files of the state directory, or without a name where there is none. A worker that was killed
/// leaves a target on one CPU at lowest priority; the agent gives it its schedules back, or the next agent where both were killed.
/// </summary>
internal sealed class QuiesceJournals
{
    private const string Suffix = ".quiesce";
    private readonly string? _directory;

    internal QuiesceJournals(string? directory) => _directory = directory;

    /// <summary>An empty journal for a target.</summary>
    internal SafeFileHandle Open(ProcessRef target) => _directory is null
        ? QuiesceJournal.CreateUnnamed()
        : File.OpenHandle(PathOf(target), FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>After the worker has ended: gives back what it may not have given back, and removes the journal.</summary>
    internal void Close(ProcessRef target, SafeFileHandle? journal)
    {
        if (journal is null || journal.IsClosed)
        {
            return;
        }

        _ = QuiesceJournal.Restore(journal);
        journal.Dispose();
        if (_directory is not null)
        {
            File.Delete(PathOf(target));
        }
    }

    /// <summary>What an agent before this one left.</summary>
    /// <returns>One sentence for each target with tasks that had not got their schedules back.</returns>
    internal List<string> RestoreLeftovers()
    {
        var said = new List<string>();
        foreach (string path in _directory is null || !Directory.Exists(_directory) ? [] : Directory.GetFiles(_directory, "*" + Suffix))
        {
            using (SafeFileHandle journal = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            {
                int restored = QuiesceJournal.Restore(journal);
                if (restored > 0)
                {
                    string pid = Path.GetFileName(path).Split('-')[0];
                    said.Add($"{restored} tasks of process {pid} that an earlier agent had quiesced have their own schedules again");
                }
            }

            File.Delete(path);
        }

        return said;
    }

    private string PathOf(ProcessRef target) =>
        Path.Combine(_directory!, string.Create(CultureInfo.InvariantCulture, $"{target.Pid}-{target.StartTimeTicks}{Suffix}"));
}
