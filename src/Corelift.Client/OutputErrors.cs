namespace Corelift.Client;

/// <summary>Says in a few words why a file could not be written.</summary>
internal static class OutputErrors
{
    private const int NoSpace = 28; // ENOSPC
    private const int QuotaExceeded = 122; // EDQUOT
    private const int FileTooBig = 27; // EFBIG
    private const int ReadOnlyFileSystem = 30; // EROFS
    private const int BrokenPipe = 32; // EPIPE

    internal static string Describe(Exception failure) => failure switch
    {
        DirectoryNotFoundException => "there is no such directory",
        FileNotFoundException => "no file can be made in that directory", // procfs and the like
        UnauthorizedAccessException => "the directory may not be written to (permission denied)",
        PathTooLongException => "the name is too long",
        IOException { HResult: NoSpace } => "the disk is full (no space left on device)",
        IOException { HResult: QuotaExceeded } => "the disk quota is used up",
        IOException { HResult: FileTooBig } => "the file would be larger than its file system or limit (ulimit -f) allows",
        IOException { HResult: ReadOnlyFileSystem } => "the file system is read-only",
        IOException { HResult: BrokenPipe } => "the reader of the pipe is gone",
        _ => failure.Message,
    };
}
