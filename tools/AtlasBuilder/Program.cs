using Serving.Glyphs.Fonts;

// Makes the embedded glyph atlas from GNU Unifont; plane00-combining.txt beside the font tells where combining marks hang:
//   dotnet run --project tools/AtlasBuilder -- unifont.hex "GNU Unifont 15.0.01" src/Glyphs/Fonts/unifont.atlas
if (args is not [var hex, var name, var atlas])
{
    Console.Error.WriteLine("usage: AtlasBuilder FONT.hex NAME OUTPUT.atlas");
    return 2;
}

try
{
    GlyphFont font = GlyphFont.Load(hex);
    using (FileStream output = File.Create(atlas)) GlyphAtlas.Write(font, name, output);
    Console.WriteLine($"{atlas}: {font.Count:N0} glyphs of {name}, {new FileInfo(atlas).Length:N0} bytes");
    return 0;
}
catch (Exception error) when (error is FontFormatException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(error.Message);
    return error is FontFormatException ? 3 : 1;
}
