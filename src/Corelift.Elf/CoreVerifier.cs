namespace Corelift.Elf;

/// <summary>
/// Says whether a core is whole and sound: structure, bounds, required notes, vendor note. Works on cores of the kernel and
/// of gdb too, where the missing vendor note is mere information. Does not judge what the memory holds; the digest of the
/// record is of the stream that brought it, in its order, and cannot be computed again from the file.
/// </summary>
public static class CoreVerifier
{
    /// <summary>Checks a file that need not even be a core.</summary>
    /// <param name="stream">The file; must be able to read and to seek. Left open.</param>
    /// <param name="limits">Bounds; null for the defaults.</param>
    /// <exception cref="IOException">Reading failed. A malformed file is a finding, never an exception.</exception>
    public static CoreVerification Verify(Stream stream, CoreLimits? limits = null)
    {
        try
        {
            using CoreFile core = CoreFile.Open(stream, limits, leaveOpen: true);
            return Verify(core);
        }
        catch (CoreFormatException failure)
        {
            return new CoreVerification([new CoreFinding(CoreFindingSeverity.Error, "header", failure.Message)], null);
        }
    }

    /// <summary>Checks a core that is open.</summary>
    /// <exception cref="IOException">Reading failed. A malformed file is a finding, never an exception.</exception>
    public static CoreVerification Verify(CoreFile core)
    {
        ArgumentNullException.ThrowIfNull(core);
        FindingList findings = new(core.Limits.MaxFindingsPerKind);
        if (core.Machine != ElfAbi.MachineX64)
        {
            findings.Warning("machine", $"ELF machine {core.Machine} is not 62 (x86-64): sizes of notes were not checked");
        }

        LoadChecks.Run(core, findings);
        foreach (string damage in core.NoteDamage)
        {
            findings.Error("notes", damage);
        }

        SnapshotRecord? record = CheckRecord(core, findings);
        NoteChecks.Run(core, findings, isOurs: record is not null);
        return new CoreVerification(findings.Finish(), record);
    }

    private static SnapshotRecord? CheckRecord(CoreFile core, FindingList findings)
    {
        SnapshotRecord? record = null;
        try
        {
            record = core.ReadRecord();
        }
        catch (CoreFormatException failure)
        {
            findings.Error("vendor-note", failure.Message);
            return null;
        }

        if (record is null)
        {
            findings.Add(CoreFindingSeverity.Information, "vendor-note", "no vendor note: another tool's core, or an unfinished one");
            return null;
        }

        if (record.FormatVersion != SnapshotRecord.CurrentFormatVersion)
        {
            findings.Warning("vendor-note", $"vendor note of version {record.FormatVersion}; this program knows version 1");
        }

        if (!record.IsComplete)
        {
            findings.Error("vendor-note", "the vendor note has no totals: the snapshot did not come to its end");
        }

        if (record.IsPartial)
        {
            findings.Warning("partial", $"memory is missing: {record.PartialBecause}");
        }

        return record;
    }
}
