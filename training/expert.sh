#!/bin/sh
# expert.sh NAME LANGUAGE SUBSTRATE TRAIN.txt VALID.txt PROMPT [options of train.py]: from two texts to models/NAME.
# Stop it whenever you like and give the same command again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
name=$1 language=$2 substrate=$3 train=$4 valid=$5 prompt=$6; shift 6
run=runs/$name out=models/$name; mkdir -p "$run" "$out"
[ -e "$run/valid.npy" ] || python3 "$here/tokenizer.py" encode "$substrate/tokenizer.json" "$run/valid.npy" "$valid"
[ -e "$run/train.npy" ] || python3 "$here/tokenizer.py" encode "$substrate/tokenizer.json" "$run/train.npy" "$train"
python3 "$here/train.py" "$run" --table "$substrate/table.safetensors" --train "$run/train.npy" --valid "$run/valid.npy" "$@"
python3 "$here/export.py" "$run" "$substrate" "$run/train.npy" "$out"
python3 "$here/evaluate.py" "$out" "$substrate" "$valid" "$run/valid.npy" --run "$run" --out "$out/numbers.json"
python3 "$here/plot.py" "$run" "$out/curve.png" --title "$name"
python3 "$here/card.py" "$out" "$substrate" --language "$language" --prompt "$prompt"
