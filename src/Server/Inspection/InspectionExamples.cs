namespace Serving.Server.Inspection;

/// <summary>What the inspection routes answer, for the OpenAPI document; pictures are cut to two rows.</summary>
internal static class InspectionExamples
{
    public const string Table = """
        {"object": "embedding_table", "model": "glyph-en", "rows": 8192, "dimensions": 256, "source": "glyph", "recipe": "glyph-256",
         "frozen": true, "fingerprint": "sha256:…", "unit_norm": true, "duplicate_rows": 44, "shared_with": ["glyph-ru", "glyph-zh"],
         "bytes": 8388608, "bytes_saved": 16777216}
        """;

    public const string Token = """
        {"id": 38, "text": "A", "code_points": ["U+0041"], "names": ["LATIN CAPITAL LETTER A"], "blocks": ["Basic Latin"],
         "kind": "character", "norm": 1.0, "identical": [100], "identical_count": 1, "glyph": {"width": 32, "height": 32,
         "rows": ["..............####..............", "............##....##............"]},
         "neighbors": [{"id": 100, "text": "А", "cosine": 1}, {"id": 50, "text": "M", "cosine": 0.6758565}]}
        """;

    public const string Rebuilt = """
        {"object": "rebuilt_glyph", "id": 38, "components": 8, "dimensions": 256, "length": 9.660561, "width": 32, "height": 32,
         "pixels": [0.00013153022, 0.00013153022], "wrong_pixels": 81, "errors": [0.09231499, 0.07784941]}
        """;

    public const string Lookup = """
        {"model": "glyph-en", "data": [{"id": 38, "text": "A", "code_points": ["U+0041"], "names": ["LATIN CAPITAL LETTER A"],
         "blocks": ["Basic Latin"], "kind": "character", "norm": 1.0, "identical": [100], "identical_count": 1}], "object": "list"}
        """;

    public const string Map = """
        {"variance_shown": [1, 0], "points": [{"id": 38, "text": "A", "x": 0.49698326, "y": 0, "glyph": {"width": 32, "height": 32,
         "rows": ["..............####..............", "............##....##............"]}}]}
        """;

    public const string SimilarityRequest = """{"texts": ["A", "Б"]}""";

    public const string Similarity = """
        {"items": ["A", "Б"], "matrix": [[1, 0.5152793111395024], [0.5152793111395024, 1]], "object": "similarity"}
        """;

    public const string LogitsRequest = """{"tokens": [38], "last": 1}""";

    public const string Logits = """
        {"model": "glyph-en", "system_fingerprint": "fp_0e527945ea6d", "rows": 1, "vocab_size": 8192, "data": "AACbwAAAm8AAAJvA…",
         "object": "logits"}
        """;
}
