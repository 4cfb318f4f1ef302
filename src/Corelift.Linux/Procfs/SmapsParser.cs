namespace Corelift.Linux.Procfs;

/// <summary>Parses /proc/PID/smaps (proc_pid_smaps(5)).</summary>
public static class SmapsParser
{
    /// <summary>Parses the whole file.</summary>
    /// <param name="text">The file's bytes. Empty text is no VMAs.</param>
    /// <param name="limits">Most VMAs, and longest name.</param>
    /// <returns>
    /// The VMAs in order of address. Lines with an unknown key are passed over: kernels add some. Where a VMA grew between
    /// two reads, its rest stands with the numbers of the whole.
    /// </returns>
    /// <exception cref="ProcfsFormatException">Not the kernel's format, cut off, out of order, or above a limit.</exception>
    public static List<VmaDetails> Parse(ReadOnlySpan<byte> text, ProcfsLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        var result = new List<VmaDetails>(Math.Min(text.Length / 512, limits.MaxVmas));
        var lines = new LineReader(text);
        Vma? previous = null;
        ReadOnlySpan<byte> previousName = default;
        var block = new Block();
        while (lines.TryRead(out ReadOnlySpan<byte> line))
        {
            // A key begins with a capital letter, an address with a lower-case hexadecimal digit.
            if (!line.IsEmpty && line[0] is >= (byte)'A' and <= (byte)'Z')
            {
                block.Take(line);
                continue;
            }

            block.AddTo(result, previous);
            MapsParser.CheckCount(result.Count, limits);
            previous = MapsParser.ParseLine(line, limits, previous, ref previousName);
            block = default;
        }

        block.AddTo(result, previous);
        return result;
    }

    /// <summary>Parses /proc/PID/smaps_rollup: one block that sums up all VMAs.</summary>
    /// <exception cref="ProcfsFormatException">Not the kernel's format, or cut off.</exception>
    public static VmaDetails ParseRollup(ReadOnlySpan<byte> text, ProcfsLimits limits)
    {
        List<VmaDetails> blocks = Parse(text, limits);
        return blocks.Count == 1 ? blocks[0] : throw new ProcfsFormatException("smaps_rollup is not one block");
    }

    /// <summary>The lines below one address line.</summary>
    private struct Block
    {
        private ulong _pageSize;
        private ulong _resident;
        private ulong _proportional;
        private ulong _sharedClean;
        private ulong _sharedDirty;
        private ulong _privateClean;
        private ulong _privateDirty;
        private ulong _anonymous;
        private ulong _hugePages;
        private ulong _sharedHugetlb;
        private ulong _privateHugetlb;
        private ulong _swapped;
        private ulong _locked;
        private VmaKernelFlags _flags;
        private List<string>? _otherFlags;

        internal void Take(ReadOnlySpan<byte> line)
        {
            int colon = line.IndexOf((byte)':');
            if (colon < 0)
            {
                throw new ProcfsFormatException("a line of smaps has no colon");
            }

            ReadOnlySpan<byte> value = line[(colon + 1)..];
            switch (line[..colon])
            {
                case var key when key.SequenceEqual("Rss"u8): _resident = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Pss"u8): _proportional = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Swap"u8): _swapped = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Locked"u8): _locked = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("VmFlags"u8): TakeFlags(value); break;
                case var key when key.SequenceEqual("Anonymous"u8): _anonymous = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Shared_Clean"u8): _sharedClean = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Shared_Dirty"u8): _sharedDirty = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Private_Clean"u8): _privateClean = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Private_Dirty"u8): _privateDirty = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("AnonHugePages"u8): _hugePages = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("KernelPageSize"u8): _pageSize = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Shared_Hugetlb"u8): _sharedHugetlb = Kilobytes.Parse(value); break;
                case var key when key.SequenceEqual("Private_Hugetlb"u8): _privateHugetlb = Kilobytes.Parse(value); break;
                default: break;
            }
        }

        internal readonly void AddTo(List<VmaDetails> result, Vma? vma)
        {
            if (vma is null)
            {
                return;
            }

            result.Add(new VmaDetails
            {
                Vma = vma,
                PageSizeBytes = _pageSize,
                ResidentBytes = _resident,
                ProportionalBytes = _proportional,
                SharedCleanBytes = _sharedClean,
                SharedDirtyBytes = _sharedDirty,
                PrivateCleanBytes = _privateClean,
                PrivateDirtyBytes = _privateDirty,
                AnonymousBytes = _anonymous,
                AnonymousHugePageBytes = _hugePages,
                SharedHugetlbBytes = _sharedHugetlb,
                PrivateHugetlbBytes = _privateHugetlb,
                SwappedBytes = _swapped,
                LockedBytes = _locked,
                Flags = _flags,
                OtherFlags = (IReadOnlyList<string>?)_otherFlags ?? [],
            });
        }

        private void TakeFlags(ReadOnlySpan<byte> value)
        {
            const int MostOtherFlags = 64;
            var fields = new FieldReader(value);
            for (ReadOnlySpan<byte> word = fields.TakeWord(); !word.IsEmpty; word = fields.TakeWord())
            {
                VmaKernelFlags flag = VmaKernelFlagNames.Parse(word);
                _flags |= flag;
                if (flag == VmaKernelFlags.None && word.Length <= 8 && (_otherFlags?.Count ?? 0) < MostOtherFlags)
                {
                    (_otherFlags ??= []).Add(ProcfsText.Decode(word));
                }
            }
        }
    }
}

/// <summary>Values such as "     12 kB".</summary>
internal static class Kilobytes
{
    /// <summary>The value in bytes.</summary>
    /// <exception cref="ProcfsFormatException">Not a number of kB, or above 64 bits in bytes.</exception>
    internal static ulong Parse(ReadOnlySpan<byte> value)
    {
        var fields = new FieldReader(value);
        fields.SkipBlanks();
        ulong kilobytes = fields.TakeDecimal();
        return !fields.Rest.SequenceEqual(" kB"u8) || kilobytes > ulong.MaxValue >> 10
            ? throw new ProcfsFormatException("expected a number of kB")
            : kilobytes << 10;
    }
}
