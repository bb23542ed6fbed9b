using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;
using Serving.Server.Access;

namespace Serving.Server.Page;

/// <summary>
/// The page at <c>/</c>: a few files that stand in the program, compressed once. Nothing in it comes from elsewhere, and its
/// policy lets nothing that a model writes be run.
/// </summary>
internal static class PageEndpoints
{
    private const string Prefix = "page/";

    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    public static void MapPage(this IEndpointRouteBuilder app)
    {
        foreach (string resource in typeof(PageEndpoints).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            var asset = Asset.Read(resource);
            string path = resource == Prefix + "index.html" ? "/" : "/" + resource;
            app.MapGet(path, (HttpContext http) => Answer(http, asset)).ExcludeFromDescription().AllowAnybody();
        }
    }

    private static IResult Answer(HttpContext http, Asset asset)
    {
        IHeaderDictionary headers = http.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers.CacheControl = "no-cache";
        headers.Vary = "Accept-Encoding";
        bool isCompressed = http.Request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.Ordinal);
        if (isCompressed) headers.ContentEncoding = "br";
        return Results.Bytes(isCompressed ? asset.Brotli : asset.Plain, asset.ContentType,
            entityTag: new EntityTagHeaderValue($"\"{asset.Tag}{(isCompressed ? "-br" : "")}\""));
    }

    private sealed record Asset(string ContentType, byte[] Plain, byte[] Brotli, string Tag)
    {
        public static Asset Read(string resource)
        {
            using Stream stream = typeof(PageEndpoints).Assembly.GetManifestResourceStream(resource)!;
            using var plain = new MemoryStream();
            stream.CopyTo(plain);
            byte[] bytes = plain.ToArray();
            return new Asset(TypeOf(resource), bytes, Compress(bytes), Convert.ToHexStringLower(SHA256.HashData(bytes), 0, 8));
        }

        private static byte[] Compress(byte[] bytes)
        {
            using var compressed = new MemoryStream();
            using (var brotli = new BrotliStream(compressed, CompressionLevel.Optimal)) brotli.Write(bytes);
            return compressed.ToArray();
        }

        private static string TypeOf(string resource) => Path.GetExtension(resource) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            _ => throw new NotSupportedException($"The page has no files such as {resource}."),
        };
    }
}
