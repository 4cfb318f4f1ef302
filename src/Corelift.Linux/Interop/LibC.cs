namespace Corelift.Linux.Interop;

/// <summary>libc entry points, one file per man page: raw values in, raw values out, no policy.</summary>
internal static partial class LibC
{
    private const string Library = "libc";
}
