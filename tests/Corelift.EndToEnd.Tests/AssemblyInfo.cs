using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]
// Pauses are measured, and a core's worth of other tests beside them would be measured along.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
