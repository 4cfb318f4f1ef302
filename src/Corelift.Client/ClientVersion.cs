namespace Corelift.Client;

/// <summary>Version of this library.</summary>
public static class ClientVersion
{
    /// <summary>Major, minor and patch number.</summary>
    public static string Text { get; } = typeof(ClientVersion).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
