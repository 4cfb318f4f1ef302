namespace Corelift.Cli;

/// <summary>Exit codes, documented in the help and in the README.</summary>
internal static class ExitCodes
{
    internal const int Ok = 0;
    internal const int Failed = 1;
    internal const int Usage = 2;
    internal const int Unreachable = 3;
    internal const int Refused = 4;
    internal const int TargetGone = 5;
    internal const int Incomplete = 6;
    internal const int Interrupted = 130;

    internal const string Help = """

        Exit codes:
          0  done                       4  refused (permission, or a precondition)
          1  failed                     5  the process is gone, or there is none
          2  wrong usage                6  the snapshot broke off; nothing was kept
          3  no agent answers         130  interrupted
        """;
}
