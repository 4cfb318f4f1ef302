using System.CommandLine;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Input;

/// <summary>The options that a plan and a snapshot share.</summary>
internal sealed class CaptureArguments
{
    private readonly Option<Strategy> _strategy = new("--strategy")
    {
        Description = "How the instant is held: auto, fork (copy-on-write image), precopy (read while the target runs, what it "
            + "wrote meanwhile in the pause) or direct (copied while stopped)",
        HelpName = "auto|fork|precopy|direct",
        CustomParser = ValueParsers.Of("--strategy", ValueParsers.Choice(
            ("auto", Strategy.Unspecified), ("fork", Strategy.Fork), ("precopy", Strategy.Precopy), ("direct", Strategy.Direct))),
    };

    private readonly Option<Content> _content = new("--content")
    {
        Description = "How much memory: default (as the target's coredump_filter says), full (all that can be read) "
            + "or stacks (what a backtrace needs)",
        HelpName = "default|full|stacks",
        CustomParser = ValueParsers.Of("--content", ValueParsers.Choice(
            ("default", Content.Default), ("full", Content.Full), ("stacks", Content.Stacks))),
    };

    private readonly Option<TimeSpan?> _maxPause = new("--max-pause")
    {
        Description = "Longest time the target may be stopped, for example 50ms or 2s; otherwise it runs on and there is no core",
        HelpName = "TIME",
        CustomParser = ValueParsers.Of<TimeSpan?>("--max-pause", text => ValueParsers.Duration(text)),
    };

    private readonly Option<TimeSpan?> _stopBudget = new("--stop-budget")
    {
        Description = "The former name of --max-pause",
        Hidden = true,
        CustomParser = ValueParsers.Of<TimeSpan?>("--stop-budget", text => ValueParsers.Duration(text)),
    };

    private readonly Option<ulong> _pauseCopyLimit = new("--pause-copy-limit")
    {
        Description = "Most shared and unforkable memory that strategy fork copies while the target is stopped, for example 64MiB",
        HelpName = "SIZE",
        CustomParser = ValueParsers.Of("--pause-copy-limit", ValueParsers.Size),
    };

    private readonly Option<ulong> _rateLimit = new("--rate-limit")
    {
        Description = "Most memory that is read a second, for example 200MiB; otherwise as much as can be taken",
        HelpName = "SIZE",
        CustomParser = ValueParsers.Of("--rate-limit", ValueParsers.Rate),
    };

    private readonly Option<bool> _quiesce = new("--quiesce")
    {
        Description = "Bring the target's threads to one CPU, at lowest priority, shortly before the stop, so that they stop at "
            + "more nearly the same moment",
    };

    private readonly Option<bool> _includeSecrets = new("--include-secrets")
    {
        Description = "Also capture memory that its owner marked as secret; needs the right snapshot-secrets",
    };

    internal void AddTo(Command command)
    {
        foreach ((Option option, string[] words) in new (Option, string[])[]
        {
            (_strategy, ["auto", "fork", "precopy", "direct"]),
            (_content, ["default", "full", "stacks"]),
            (_maxPause, []),
            (_stopBudget, []),
            (_pauseCopyLimit, []),
            (_rateLimit, []),
            (_quiesce, []),
            (_includeSecrets, []),
        })
        {
            if (words.Length > 0)
            {
                option.CompletionSources.Clear(); // the names of the enumeration, which are not what is typed here
                option.CompletionSources.Add(words);
            }

            command.Add(option);
        }
    }

    internal SnapshotRequest ToRequest(CliSession session) => new()
    {
        Strategy = session.Get(_strategy),
        Content = session.Get(_content),
        StopBudget = session.Get(_maxPause) ?? session.Get(_stopBudget),
        PauseCopyLimitBytes = session.Get(_pauseCopyLimit),
        RateLimitBytesPerSecond = session.Get(_rateLimit),
        Quiesce = session.Get(_quiesce),
        IncludeSecrets = session.Get(_includeSecrets),
    };
}
