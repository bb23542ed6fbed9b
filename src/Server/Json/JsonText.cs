using System.Text.Json;

namespace Serving.Server.Json;

/// <summary>Reads strings inside converters.</summary>
internal static class JsonText
{
    /// <summary>The string at the reader.</summary>
    /// <exception cref="ContractException">It is not Unicode text, which the reader notices only now.</exception>
    public static string Read(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new ContractException("must be valid Unicode text, without bytes that are no UTF-8 and halves of surrogate pairs");
        }
    }
}
