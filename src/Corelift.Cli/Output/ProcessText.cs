using Corelift.V1;

namespace Corelift.Cli.Output;

/// <summary>The contract's enumerations as the command line spells them.</summary>
internal static class ProcessText
{
    internal static string Of(Strategy strategy) => strategy switch
    {
        Strategy.Direct => "direct",
        Strategy.Fork => "fork",
        Strategy.Precopy => "precopy",
        _ => "auto",
    };

    internal static string Of(Content content) => content switch
    {
        Content.Full => "full",
        Content.Stacks => "stacks",
        _ => "default",
    };

    internal static string Of(SeccompMode mode) => mode switch
    {
        SeccompMode.Disabled => "disabled",
        SeccompMode.Strict => "strict",
        SeccompMode.Filter => "filter",
        _ => "unknown",
    };
}
