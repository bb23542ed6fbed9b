using System.CommandLine;
using System.Diagnostics;
using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;
using Serving.Glyphs.Tokens;
using Serving.Inference.Checkpoints;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>embed</c>: builds a frozen table from the pictures of a vocabulary's tokens.</summary>
internal static class EmbedCommand
{
    private static readonly Option<string> Recipe = new("--recipe")
    {
        Description = $"How: {string.Join(", ", GlyphRecipe.Presets.Select(preset => preset.Name))}.",
        DefaultValueFactory = _ => GlyphRecipe.Glyph256.Name,
        HelpName = "NAME",
    };

    private static readonly Option<string> TokenizerPath = new("--tokenizer")
    {
        Description = "The tokenizer.json whose tokens are drawn.",
        Required = true,
        HelpName = "FILE",
    };

    private static readonly Option<string?> Font = new("--font")
    {
        Description = "A font in GNU Unifont's .hex format. Default: the built-in GNU Unifont.",
        HelpName = "FILE",
    };

    private static readonly Option<string> Out = new("--out")
    {
        Description = "The substrate folder to write: table.safetensors, table.json, tokenizer.json.",
        Required = true,
        HelpName = "DIR",
    };

    public static Command Create()
    {
        var command = new Command("embed", """
            Builds a frozen table from glyphs: the substrate that checkpoints stand on.

            Example:
              embed --recipe glyph-256 --tokenizer tokenizer.json --font unifont.hex --out models/substrates/mine
            """)
        {
            Recipe, TokenizerPath, Font, Out, CommonOptions.Verbose,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        GlyphRecipe recipe = RecipeNamed(parsed.GetValue(Recipe)!);
        string tokenizerPath = parsed.GetValue(TokenizerPath)!;
        Tokenizer tokenizer = Tokenizer.Load(tokenizerPath);
        GlyphFont font = parsed.GetValue(Font) is { } path ? GlyphFont.Load(path) : GlyphFont.Unifont;
        long start = Stopwatch.GetTimestamp();
        GlyphTable table = Build(font, recipe, tokenizer.Spellings());
        string folder = parsed.GetValue(Out)!;
        string fingerprint = Write(table, tokenizerPath, folder);
        Console.Error.WriteLine($"{folder}: {table.Rows:N0} tokens of {font.Name} as {recipe.Components} components, {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s");
        Console.WriteLine(fingerprint);
        return ExitCode.Ok;
    }

    private static GlyphTable Build(GlyphFont font, GlyphRecipe recipe, string[] tokens)
    {
        BitMatrix bits;
        using (var progress = new ProgressBar("draw"))
        {
            using var pictures = new GlyphPictures(font, recipe);
            bits = pictures.DrawAll(tokens, progress);
        }

        using (var progress = new ProgressBar("components"))
            return new GlyphTable(recipe, font.Name, bits, PrincipalComponents.Of(bits, recipe.Components, progress));
    }

    private static string Write(GlyphTable table, string tokenizerPath, string folder)
    {
        using var progress = new ProgressBar("write");
        return OutputFolder.Write(folder, () => SubstrateWriter.Write(table, tokenizerPath, folder, progress));
    }

    private static GlyphRecipe RecipeNamed(string name) =>
        GlyphRecipe.Presets.FirstOrDefault(preset => preset.Name == name) ?? throw new CommandLineException(
            ExitCode.Usage, $"There is no recipe '{name}'.", "--recipe", $"Name one of {string.Join(", ", GlyphRecipe.Presets.Select(preset => preset.Name))}.");
}
