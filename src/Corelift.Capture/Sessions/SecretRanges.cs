using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Sessions;

/// <summary>Which memory of a stopped target its owner marked as secret; ascending.</summary>
public sealed class SecretRanges
{
    private readonly List<(ulong Start, ulong End)> _ranges = [];

    private SecretRanges()
    {
    }

    /// <summary>Looks at a target that is stopped under a lease, so that what is found stays true.</summary>
    /// <exception cref="CaptureException">The lease has ended.</exception>
    public static SecretRanges Find(StopLease lease, SecretMemory secrets)
    {
        ArgumentNullException.ThrowIfNull(lease);
        ArgumentNullException.ThrowIfNull(secrets);
        var found = new SecretRanges();
        if (secrets.IsIncluded)
        {
            return found;
        }

        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(lease.Target.Pid);
            foreach (VmaDetails vma in TargetFacts.Read(directory).Vmas)
            {
                if ((vma.Flags & VmaKernelFlags.DontDump) != 0 || ContentSelector.HasSecretName(vma.Vma.Name, secrets.Names))
                {
                    found._ranges.Add((vma.Vma.Start.Value, vma.Vma.End.Value));
                }
            }

            return found;
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw new CaptureException(CaptureFailure.LeaseEnded, $"the lease of process {lease.Target.Pid} has ended: stop it again");
        }
    }

    /// <summary>The first byte from an address on that is secret or is not: where the answer at the address changes.</summary>
    /// <param name="address">Where to look.</param>
    /// <param name="isSecret">Whether the byte at the address is secret.</param>
    /// <returns>First address behind it for which the answer is another.</returns>
    public ulong NextChange(ulong address, out bool isSecret)
    {
        foreach ((ulong start, ulong end) in _ranges)
        {
            if (address < start)
            {
                isSecret = false;
                return start;
            }

            if (address < end)
            {
                isSecret = true;
                return end;
            }
        }

        isSecret = false;
        return ulong.MaxValue;
    }
}
