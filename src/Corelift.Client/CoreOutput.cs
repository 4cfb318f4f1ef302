using System.Security.Cryptography;

namespace Corelift.Client;

/// <summary>The open destination of one core: a partial file that is committed or deleted, or somebody's stream.</summary>
internal sealed class CoreOutput : IDisposable
{
    private const int BufferBytes = 64 * 1024;
    private const int MostPartials = 1000; // partial cores of one name; then it is time to look at them
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite; // a core holds secrets

    private readonly bool _ownsStream;
    private readonly bool _overwrite;
    private string? _partialPath;

    private CoreOutput(Stream stream, bool ownsStream, string? finalPath, string? partialPath, bool overwrite)
    {
        Stream = stream;
        _ownsStream = ownsStream;
        FinalPath = finalPath;
        _partialPath = partialPath;
        _overwrite = overwrite;
    }

    internal Stream Stream { get; }

    /// <summary>Full path that a whole core will have; null for a stream.</summary>
    internal string? FinalPath { get; }

    internal static CoreOutput ForStream(Stream stream) => new(stream, ownsStream: false, null, null, overwrite: false);

    /// <exception cref="SnapshotException">The name is taken, or nothing can be made beside it.</exception>
    internal static CoreOutput ForFile(string path, bool overwrite)
    {
        string full = Path.GetFullPath(path);
        try
        {
            if (IsDevice(full))
            {
                return new CoreOutput(new ForwardOnlyStream(full), ownsStream: true, full, null, overwrite);
            }

            VerifyFree(full, overwrite);
            string directory = Path.GetDirectoryName(full)!;
            string partial = Path.Combine(directory, PartialName(Path.GetFileName(full)));
            return new CoreOutput(new FileStream(partial, NewFile()), ownsStream: true, full, partial, overwrite);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw Failure(full, failure);
        }
    }

    /// <summary>Gives the core its final name. Only a core whose stream came to its end comes here.</summary>
    /// <param name="isPartial">
    /// Whether memory is missing. It then never takes the name of a whole core, nor replaces one: it gets the suffix
    /// ".partial", and a number where that name is taken, too.
    /// </param>
    /// <returns>Its full path; null for a stream.</returns>
    internal string? Commit(bool isPartial)
    {
        try
        {
            if (!_ownsStream)
            {
                Stream.Flush();
                return null;
            }

            Stream.Dispose();
            if (_partialPath is null)
            {
                return FinalPath;
            }

            string name = isPartial ? NameOfPartial() : FinalPath!;
            VerifyFree(name, _overwrite);
            File.Move(_partialPath, name, _overwrite);
            _partialPath = null;
            return name;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Failure(failure);
        }
    }

    internal SnapshotException Failure(Exception failure) => Failure(FinalPath ?? "the output stream", failure);

    public void Dispose()
    {
        if (_ownsStream)
        {
            try
            {
                Stream.Dispose();
            }
            catch (IOException)
            {
                // What its buffer still held found no room on the disk: the file goes away anyway.
            }
        }

        if (_partialPath is not null)
        {
            File.Delete(_partialPath);
            _partialPath = null;
        }
    }

    private string NameOfPartial()
    {
        string name = $"{FinalPath}.partial";
        for (int number = 2; !_overwrite && Path.Exists(name) && number < MostPartials; number++)
        {
            name = $"{FinalPath}.partial.{number}";
        }

        return name;
    }

    private static FileStreamOptions NewFile()
    {
        FileStreamOptions options = new()
        {
            Mode = FileMode.CreateNew, // O_EXCL: never through somebody's link
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = BufferBytes,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        return options;
    }

    private static SnapshotException Failure(string name, Exception failure) =>
        failure as SnapshotException
        ?? new SnapshotException(
            SnapshotFailure.Output, $"the core cannot be written to {name}: {OutputErrors.Describe(failure)}; nothing was kept", failure);

    private static void VerifyFree(string path, bool overwrite)
    {
        if (Directory.Exists(path))
        {
            throw new SnapshotException(SnapshotFailure.Output, $"{path} is a directory; name a file in it");
        }

        if (!overwrite && File.Exists(path))
        {
            throw new SnapshotException(
                SnapshotFailure.Output, $"{path} exists already; choose another name, or allow it to be replaced (--force)");
        }
    }

    /// <summary>Renaming onto a device would replace it. /dev/shm is an ordinary file system.</summary>
    private static bool IsDevice(string path) =>
        path.StartsWith("/dev/", StringComparison.Ordinal)
        && !path.StartsWith("/dev/shm/", StringComparison.Ordinal)
        && File.Exists(path);

    private static string PartialName(string name)
    {
        string random = RandomNumberGenerator.GetHexString(12, lowercase: true);
        const int LongestName = 255 - 64; // room for the dot, the suffix and names of several bytes per character
        return $".{(name.Length <= LongestName / 4 ? name : name[..(LongestName / 4)])}.partial-{random}";
    }
}
