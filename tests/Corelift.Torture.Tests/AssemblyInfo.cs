using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]
// Times are measured, and every class has an agent of its own.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
