using Corelift.Sealing;

namespace Corelift.Agent.Hosting;

/// <summary>The file of public keys that every snapshot is sealed to (<c>--seal-to</c>). Read once, at the start.</summary>
internal static class SealToFile
{
    private const int MostRecipients = 20;

    /// <exception cref="StartRefusedException">It cannot be read, holds no keys, or anybody could put a key of his own into it.</exception>
    internal static IReadOnlyList<AgeRecipient> Read(string? path)
    {
        if (path is null)
        {
            return [];
        }

        try
        {
            if (!SealingSupport.IsAvailable)
            {
                throw new StartRefusedException("cannot seal snapshots (--seal-to): OpenSSL's libssl is not there. Install it, or put it into the image");
            }

            if (OperatingSystem.IsLinux() && File.GetUnixFileMode(path).HasFlag(UnixFileMode.OtherWrite))
            {
                throw new StartRefusedException($"every user may write to {path} (--seal-to), and so seal snapshots to a key of his own: chmod o-w it");
            }

            using StreamReader list = new(path);
            AgeRecipient[] recipients = [.. AgeRecipient.ParseList(list).Distinct()];
            return recipients.Length <= MostRecipients
                ? recipients
                : throw new StartRefusedException($"{path} (--seal-to) names {recipients.Length} keys; the most is {MostRecipients}");
        }
        catch (AgeException failure)
        {
            throw new StartRefusedException($"{path} (--seal-to): {failure.Message}. It takes public keys of age (age1...), one a line");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException($"cannot read {path} (--seal-to): {failure.Message}");
        }
    }
}
