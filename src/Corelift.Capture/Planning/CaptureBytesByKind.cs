using Corelift.Linux.Procfs;

namespace Corelift.Capture.Planning;

/// <summary>Present bytes that a content takes, by category.</summary>
internal readonly record struct CaptureBytesByKind(ulong Anonymous, ulong File, ulong Shared, ulong PauseCopy)
{
    private const ulong StackGuessBytes = 32 * 1024;

    internal ulong Total => Anonymous + File + Shared;

    /// <summary>Sums what is present of the selected pieces. A piece of a VMA counts in proportion.</summary>
    internal static CaptureBytesByKind Sum(
        IReadOnlyList<VmaDetails> vmas, ContentSelector selector, int threadCount, CaptureContent content)
    {
        const VmaKernelFlags NotInImage = VmaKernelFlags.DontCopy | VmaKernelFlags.WipeOnFork;
        (ulong anonymous, ulong file, ulong shared, ulong pauseCopy) = (0, 0, 0, 0);
        var pieces = new List<Selected>();
        foreach (VmaDetails details in vmas)
        {
            pieces.Clear();
            selector.Select(details.Vma, details, pieces);
            ulong selected = 0;
            foreach (Selected piece in pieces)
            {
                selected += piece.Hole == HoleCause.None ? piece.End - piece.Start : 0;
            }

            ulong present = details.ResidentBytes + details.SwappedBytes + details.PrivateHugetlbBytes + details.SharedHugetlbBytes;
            ulong bytes = Math.Min(selected, present);
            if (details.Vma.IsShared)
            {
                shared += bytes;
            }
            else if (details.Vma.IsFileBacked)
            {
                ulong written = Math.Min(bytes, details.AnonymousBytes + details.SwappedBytes);
                anonymous += written;

                // Every page of a mapped file counts: those that are not present are read from the file.
                file += selected - Math.Min(selected, written);
            }
            else
            {
                anonymous += bytes;
            }

            pauseCopy += details.Vma.IsShared || (details.Flags & NotInImage) != 0 ? bytes : 0;
        }

        if (content == CaptureContent.Stacks)
        {
            anonymous += (ulong)threadCount * StackGuessBytes; // the stacks' places are known in the pause only
        }

        return new CaptureBytesByKind(anonymous, file, shared, pauseCopy);
    }
}
