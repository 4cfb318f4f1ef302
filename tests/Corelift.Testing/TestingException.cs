namespace Corelift.Testing;

/// <summary>A test cannot go on, or what it watches over was harmed; the message says which.</summary>
public sealed class TestingException(string message) : Exception(message);
