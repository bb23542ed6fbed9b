using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Server.Embeddings;

/// <summary>A vector, written as an array of numbers or as base64 of its little-endian bytes.</summary>
[JsonConverter(typeof(Converter))]
internal sealed record EmbeddingVector(float[] Values, bool AsBase64)
{
    internal sealed class Converter : JsonConverter<EmbeddingVector>
    {
        public override EmbeddingVector Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("Vectors are only written.");

        public override void Write(Utf8JsonWriter writer, EmbeddingVector value, JsonSerializerOptions options)
        {
            if (value.AsBase64)
            {
                // The server runs on little-endian machines only.
                writer.WriteBase64StringValue(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(value.Values));
                return;
            }
            writer.WriteStartArray();
            foreach (float number in value.Values)
                writer.WriteNumberValue(number);
            writer.WriteEndArray();
        }
    }
}
