namespace Corelift.Agent.Access;

/// <summary>
/// Tells whether files changed since they were looked at last: by what each path leads to through symbolic links (Kubernetes swaps
/// ..data), its size, and its time of change.
/// </summary>
internal readonly record struct FileStamp(string Text)
{
    /// <summary>Looks at files. One that is missing or cannot be looked at has a stamp, too.</summary>
    internal static FileStamp Of(IEnumerable<string> paths) => new(string.Join('|', paths.Select(Look)));

    private static string Look(string path)
    {
        try
        {
            string resolved = Resolve(Path.GetFullPath(path));
            var file = new FileInfo(resolved);
            return file.Exists ? string.Create(null, $"{resolved}:{file.Length}:{file.LastWriteTimeUtc.Ticks}") : "missing";
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return failure.GetType().Name;
        }
    }

    /// <summary>Follows links in the last part of the path and in the directory above it: tls.crt -> ..data/tls.crt, ..data -> ..2026.</summary>
    private static string Resolve(string path)
    {
        string target = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        string? directory = Path.GetDirectoryName(target);
        string? real = directory is null ? null : Directory.ResolveLinkTarget(directory, returnFinalTarget: true)?.FullName;
        return real is null ? target : Path.Combine(real, Path.GetFileName(target));
    }
}
