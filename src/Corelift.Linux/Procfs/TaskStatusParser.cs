using System.Text;

namespace Corelift.Linux.Procfs;

/// <summary>Fills <see cref="TaskStatus"/>; kept apart from what the fields mean.</summary>
internal static class TaskStatusParser
{
    private const int MaxGroups = 65536; // NGROUPS_MAX

    internal static TaskStatus Parse(ReadOnlySpan<byte> text, ProcfsLimits limits)
    {
        var status = new TaskStatus();
        var lines = new LineReader(text);
        bool named = false;
        while (lines.TryRead(out ReadOnlySpan<byte> line))
        {
            int colon = line.IndexOf((byte)':');
            if (colon < 0)
            {
                throw new ProcfsFormatException("a line of status has no colon");
            }

            ReadOnlySpan<byte> key = line[..colon];
            ReadOnlySpan<byte> value = line[(colon + 1)..];

            // The name is the first line and no other: a kernel that does not escape it must not let it make up lines
            // that override real ones above them. Those below still win, as the kernel's own come later.
            if (!named)
            {
                named = key.SequenceEqual("Name"u8) ? true : throw new ProcfsFormatException("status has no name first");
                status.Name = DecodeName(value.IsEmpty ? value : value[1..]);
                continue;
            }

            if (!TakeIdentity(status, key, value, limits) && !TakeMemory(status, key, value))
            {
                TakeRest(status, key, value);
            }
        }

        return status.Tid > 0 // which is below Tgid
            ? status
            : throw new ProcfsFormatException("status names no task: it was cut off");
    }

    private static bool TakeIdentity(TaskStatus status, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ProcfsLimits limits)
    {
        switch (key)
        {
            case var k when k.SequenceEqual("State"u8): status.State = (char)Field(value).TakeByte(); return true;
            case var k when k.SequenceEqual("Tgid"u8): status.Tgid = Field(value).TakeInt32(); return true;
            case var k when k.SequenceEqual("Pid"u8): status.Tid = Field(value).TakeInt32(); return true;
            case var k when k.SequenceEqual("PPid"u8): status.ParentPid = Field(value).TakeInt32(); return true;
            case var k when k.SequenceEqual("TracerPid"u8): status.TracerPid = Field(value).TakeInt32(); return true;
            case var k when k.SequenceEqual("Uid"u8): status.Uid = TakeCredentials(value); return true;
            case var k when k.SequenceEqual("Gid"u8): status.Gid = TakeCredentials(value); return true;
            case var k when k.SequenceEqual("Groups"u8): status.Groups = TakeGroups(value); return true;
            case var k when k.SequenceEqual("NSpid"u8): status.NamespaceTids = TakeTids(value, limits); return true;
            case var k when k.SequenceEqual("Kthread"u8): status.IsKernelThread = Field(value).TakeInt32() != 0; return true;
            default: return false;
        }
    }

    private static bool TakeMemory(TaskStatus status, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        switch (key)
        {
            case var k when k.SequenceEqual("VmPeak"u8): status.VirtualPeakBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("VmSize"u8): status.VirtualBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("VmLck"u8): status.LockedBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("VmPin"u8): status.PinnedBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("VmHWM"u8): status.ResidentPeakBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("VmRSS"u8): status.ResidentBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("RssAnon"u8): status.ResidentAnonymousBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("RssFile"u8): status.ResidentFileBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("RssShmem"u8): status.ResidentSharedBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("VmPTE"u8): status.PageTableBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("VmSwap"u8): status.SwappedBytes = Kilobytes.Parse(value); return true;
            case var k when k.SequenceEqual("HugetlbPages"u8): status.HugetlbBytes = Kilobytes.Parse(value); return true;
            default: return false;
        }
    }

    private static void TakeRest(TaskStatus status, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        switch (key)
        {
            case var k when k.SequenceEqual("CoreDumping"u8): status.IsDumpingCore = Field(value).TakeInt32() != 0; break;
            case var k when k.SequenceEqual("Threads"u8): status.ThreadCount = Field(value).TakeInt32(); break;
            case var k when k.SequenceEqual("SigPnd"u8): status.PendingSignals = Field(value).TakeHex(); break;
            case var k when k.SequenceEqual("ShdPnd"u8): status.SharedPendingSignals = Field(value).TakeHex(); break;
            case var k when k.SequenceEqual("SigBlk"u8): status.BlockedSignals = Field(value).TakeHex(); break;
            case var k when k.SequenceEqual("SigIgn"u8): status.IgnoredSignals = Field(value).TakeHex(); break;
            case var k when k.SequenceEqual("SigCgt"u8): status.CaughtSignals = Field(value).TakeHex(); break;
            case var k when k.SequenceEqual("CapPrm"u8): status.PermittedCapabilities = Field(value).TakeHex(); break;
            case var k when k.SequenceEqual("CapEff"u8): status.EffectiveCapabilities = Field(value).TakeHex(); break;
            case var k when k.SequenceEqual("NoNewPrivs"u8): status.NoNewPrivileges = Field(value).TakeInt32() != 0; break;
            case var k when k.SequenceEqual("Seccomp"u8): status.SeccompMode = Field(value).TakeInt32(); break;
            case var k when k.SequenceEqual("Seccomp_filters"u8): status.SeccompFilterCount = Field(value).TakeUInt32(); break;
            case var k when k.SequenceEqual("x86_Thread_features"u8):
                status.ThreadFeatures = ProcfsText.Decode(Field(value).Rest.TrimEnd((byte)' '));
                break;
            default: break;
        }
    }

    private static FieldReader Field(ReadOnlySpan<byte> value)
    {
        var field = new FieldReader(value);
        field.SkipBlanks();
        return field;
    }

    private static Credentials TakeCredentials(ReadOnlySpan<byte> value)
    {
        var fields = new FieldReader(value);
        return new Credentials(Next(ref fields), Next(ref fields), Next(ref fields), Next(ref fields));

        static uint Next(ref FieldReader fields)
        {
            fields.SkipBlanks();
            return fields.TakeUInt32();
        }
    }

    private static List<uint> TakeGroups(ReadOnlySpan<byte> value)
    {
        var groups = new List<uint>();
        FieldReader fields = Field(value);
        for (; !fields.AtEnd; fields.SkipBlanks())
        {
            if (groups.Count >= MaxGroups)
            {
                throw new ProcfsFormatException($"more than {MaxGroups} groups");
            }

            groups.Add(fields.TakeUInt32());
        }

        return groups;
    }

    private static List<int> TakeTids(ReadOnlySpan<byte> value, ProcfsLimits limits)
    {
        var tids = new List<int>(1);
        FieldReader fields = Field(value);
        for (; !fields.AtEnd; fields.SkipBlanks())
        {
            if (tids.Count >= limits.MaxNamespaceDepth)
            {
                throw new ProcfsFormatException($"more than {limits.MaxNamespaceDepth} pid namespaces");
            }

            tids.Add(fields.TakeInt32());
        }

        return tids;
    }

    private static string DecodeName(ReadOnlySpan<byte> value)
    {
        // proc_task_name: only newline and backslash are escaped, as \n and \\ (Linux 5.18; before it the same two).
        if (value.IndexOf((byte)'\\') < 0)
        {
            return ProcfsText.Decode(value);
        }

        byte[] decoded = new byte[value.Length];
        int length = 0;
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] == '\\' && i + 1 < value.Length && value[i + 1] is (byte)'n' or (byte)'\\')
            {
                i++;
                decoded[length++] = value[i] == 'n' ? (byte)'\n' : (byte)'\\';
                continue;
            }

            decoded[length++] = value[i];
        }

        return Encoding.UTF8.GetString(decoded, 0, length);
    }
}
