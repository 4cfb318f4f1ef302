using System.Runtime.InteropServices;

namespace Corelift.Sealing;

/// <summary>Whether this machine has what sealing needs.</summary>
public static class SealingSupport
{
    private static readonly Lazy<bool> s_isAvailable = new(Look);

    /// <summary>
    /// Whether OpenSSL's library is there, whose ciphers .NET uses. Asked before the first of them: without the library the
    /// runtime would end the whole process.
    /// </summary>
    public static bool IsAvailable => s_isAvailable.Value;

    private static bool Look() =>
        ((string[])["libssl.so.3", "libssl.so.1.1"]).Any(name => NativeLibrary.TryLoad(name, out _)) || !OperatingSystem.IsLinux();
}
