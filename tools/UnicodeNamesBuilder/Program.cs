using System.Globalization;
using Serving.Glyphs.Unicode;

// Makes the embedded table of character names from the Unicode Character Database (Debian: package unicode-data):
//   dotnet run --project tools/UnicodeNamesBuilder -- /usr/share/unicode src/Glyphs/Unicode/unicode.names
if (args is not [var folder, var path])
{
    Console.Error.WriteLine("usage: UnicodeNamesBuilder FOLDER OUTPUT.names");
    return 2;
}

CodePointRange[] blocks = [.. from line in Fields("Blocks.txt") let range = line[0].Split("..") select new CodePointRange(CodePoint(range[0]), CodePoint(range[1]), line[1])];
Dictionary<int, string> controls = (from line in Fields("NameAliases.txt") where line[2] == "control" select line)
    .GroupBy(line => CodePoint(line[0])).ToDictionary(group => group.Key, group => group.First()[1]);
var names = new List<KeyValuePair<int, string>>();
var families = new List<CodePointRange>();
int first = 0;
foreach (string[] line in Fields("UnicodeData.txt"))
{
    (int codePoint, string name) = (CodePoint(line[0]), line[1]);
    if (name.EndsWith("First>", StringComparison.Ordinal))
        first = codePoint;
    else if (name.EndsWith("Last>", StringComparison.Ordinal) && Prefix(name) is { } prefix)
        families.Add(new(first, codePoint, prefix));
    else if (name[0] != '<')
        names.Add(new(codePoint, name));
    else if (controls.TryGetValue(codePoint, out string? alias))
        names.Add(new(codePoint, alias));
}

string version = File.ReadLines(Path.Combine(folder, "Blocks.txt")).First().Split('-')[1].Replace(".txt", "", StringComparison.Ordinal);
using (FileStream output = File.Create(path)) UnicodeNames.Write(output, version, blocks, families, names);
Console.WriteLine($"{path}: {names.Count:N0} names and {blocks.Length} blocks of Unicode {version}, {new FileInfo(path).Length:N0} bytes");
return 0;

// Hangul syllables are spelled from their parts; surrogates and private characters have no names.
static string? Prefix(string name) =>
    name.StartsWith("<CJK", StringComparison.Ordinal) ? "CJK UNIFIED IDEOGRAPH-"
    : name.StartsWith("<Tangut", StringComparison.Ordinal) ? "TANGUT IDEOGRAPH-" : null;

static int CodePoint(string hex) => int.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

IEnumerable<string[]> Fields(string file) =>
    from line in File.ReadLines(Path.Combine(folder, file))
    let data = line.Split('#')[0].Trim()
    where data.Length > 0
    select (string[])[.. data.Split(';').Select(field => field.Trim())];
