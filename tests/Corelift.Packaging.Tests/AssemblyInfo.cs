using System.Runtime.Versioning;

[assembly: SupportedOSPlatform("linux")]
// The image and the packages are built with all CPUs there are; one after the other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
