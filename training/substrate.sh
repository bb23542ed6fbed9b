#!/bin/sh
# substrate.sh OUT ENGLISH.txt RUSSIAN.txt CHINESE.txt: the tokenizer and the frozen table that all experts share.
# Merges are dropped until no two tokens of one language have the same picture: five to seven rounds, a minute each.
# drop.json is the list that the bundled substrate needed; other texts need another, which this finds by itself.
set -eu
here=$(cd "$(dirname "$0")" && pwd); out=$1; font=${FONT:-/usr/share/unifont/unifont.hex}
mkdir -p "$out"; [ -e "$out/drop.json" ] || echo '[]' > "$out/drop.json"
while :; do
    python3 "$here/tokenizer.py" train "$out/tokenizer.json" --english "$2" --russian "$3" --chinese "$4" --drop "$out/drop.json"
    dotnet run -c Release --project "$here/../src/Server" -- embed --recipe glyph-256 --tokenizer "$out/tokenizer.json" --font "$font" --out "$out"
    python3 "$here/same_pictures.py" "$out" --already "$out/drop.json" > "$out/drop.new"
    if cmp -s "$out/drop.json" "$out/drop.new"; then rm "$out/drop.new"; break; fi
    mv "$out/drop.new" "$out/drop.json"
done
