using System.Diagnostics.CodeAnalysis;

namespace Serving.Server.OpenApi;

/// <summary>What the document shows of an endpoint, as JSON.</summary>
/// <param name="Request">A body; null where there is none.</param>
/// <param name="Response">What is answered.</param>
internal sealed record RouteExample(string? Request, string Response);

/// <summary>An endpoint that also answers a stream of events.</summary>
/// <param name="Chunk">What the data of an event is.</param>
internal sealed record EventStreamOf(Type Chunk);

/// <summary>An endpoint that answers one of two shapes, whichever the request asks for.</summary>
/// <param name="One">The one that the framework sees.</param>
/// <param name="Other">The other.</param>
internal sealed record EitherOf(Type One, Type Other);

/// <summary>Puts a <see cref="RouteExample"/> on an endpoint.</summary>
internal static class RouteExamples
{
    public static RouteHandlerBuilder WithExample(
        this RouteHandlerBuilder endpoint, [StringSyntax("json")] string? request, [StringSyntax("json")] string response) =>
        endpoint.WithMetadata(new RouteExample(request, response));

    public static RouteHandlerBuilder ProducesEither<TOne, TOther>(this RouteHandlerBuilder endpoint) =>
        endpoint.Produces<TOne>().WithMetadata(new EitherOf(typeof(TOne), typeof(TOther)));

    public static RouteHandlerBuilder ProducesEvents<TChunk>(this RouteHandlerBuilder endpoint) =>
        endpoint.WithMetadata(new EventStreamOf(typeof(TChunk)));
}
