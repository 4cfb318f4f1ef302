namespace Corelift.Agent;

/// <summary>Exit codes of the agent (sysexits.h).</summary>
internal static class ExitCodes
{
    /// <summary>It ended because it was asked to.</summary>
    internal const int Ok = 0;

    /// <summary>The command line is wrong.</summary>
    internal const int Usage = 64; // EX_USAGE

    /// <summary>It ended by a bug, or by something that was never tried.</summary>
    internal const int Software = 70; // EX_SOFTWARE

    /// <summary>It may not, or cannot, do its work as it was set up: the message says what to change.</summary>
    internal const int Configuration = 78; // EX_CONFIG
}
