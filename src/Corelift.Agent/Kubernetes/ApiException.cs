using System.Net;

namespace Corelift.Agent.Kubernetes;

/// <summary>The API server refused, failed, or said what cannot be understood.</summary>
/// <param name="message">What happened, in words for an operator; may hold text of the server, not escaped.</param>
/// <param name="status">The status code, or null where there was no answer.</param>
/// <param name="cause">What it comes from.</param>
internal sealed class ApiException(string message, HttpStatusCode? status = null, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The status code, or null where there was no answer.</summary>
    internal HttpStatusCode? Status { get; } = status;

    /// <summary>Whether the resource version was too old (410 Gone): the list has to be read again.</summary>
    internal bool IsGone => Status == HttpStatusCode.Gone;
}
