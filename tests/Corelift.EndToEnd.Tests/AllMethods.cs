using System.Reflection;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Every method that an agent has, from the descriptors of the contract: a new one is among them by itself.</summary>
public static class AllMethods
{
    private static readonly Marshaller<byte[]> s_bytes = Marshallers.Create(bytes => bytes, bytes => bytes);

    /// <summary>Those of the contract, and of health and reflection.</summary>
    public static IReadOnlyList<MethodDescriptor> List { get; } =
    [
        .. ((Assembly[])[typeof(V1.ProcessRef).Assembly, typeof(Grpc.Health.V1.Health).Assembly, typeof(Grpc.Reflection.V1Alpha.ServerReflection).Assembly])
            .SelectMany(assembly => assembly.GetTypes())
            .Select(type => type.GetProperty("Descriptor", BindingFlags.Public | BindingFlags.Static))
            .Where(property => property?.PropertyType == typeof(FileDescriptor))
            .SelectMany(property => ((FileDescriptor)property!.GetValue(null)!).Services)
            .SelectMany(service => service.Methods),
    ];

    /// <summary>Calls a method with an empty request, and says how it ended.</summary>
    public static async Task<RpcException?> CallAsync(GrpcChannel channel, MethodDescriptor method)
    {
        MethodType type = (method.IsClientStreaming, method.IsServerStreaming) switch
        {
            (true, true) => MethodType.DuplexStreaming,
            (true, false) => MethodType.ClientStreaming,
            (false, true) => MethodType.ServerStreaming,
            _ => MethodType.Unary,
        };
        Method<byte[], byte[]> raw = new(type, method.Service.FullName, method.Name, s_bytes, s_bytes);
        CallOptions options = new(deadline: DateTime.UtcNow.AddSeconds(20));
        try
        {
            switch (type)
            {
                case MethodType.Unary:
                    await channel.CreateCallInvoker().AsyncUnaryCall(raw, null, options, []);
                    break;
                case MethodType.ServerStreaming:
                    using (AsyncServerStreamingCall<byte[]> call = channel.CreateCallInvoker().AsyncServerStreamingCall(raw, null, options, []))
                    {
                        await call.ResponseStream.MoveNext(CancellationToken.None);
                    }

                    break;
                case MethodType.DuplexStreaming:
                    using (AsyncDuplexStreamingCall<byte[], byte[]> call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(raw, null, options))
                    {
                        await call.ResponseStream.MoveNext(CancellationToken.None);
                    }

                    break;
                default:
                    using (AsyncClientStreamingCall<byte[], byte[]> call = channel.CreateCallInvoker().AsyncClientStreamingCall(raw, null, options))
                    {
                        await call.ResponseAsync;
                    }

                    break;
            }

            return null;
        }
        catch (RpcException failure)
        {
            return failure;
        }
    }
}
