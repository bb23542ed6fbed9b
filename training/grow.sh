#!/bin/sh
# grow.sh NAME LANGUAGE SUBSTRATE TRAIN.txt VALID.txt PROMPT STAGES [options of train.py]: models/NAME-1 to models/NAME-STAGES.
# Every stage adds a block to the stage before and trains it and the head; table and earlier blocks stay, bit for bit.
# Stop it whenever you like and give the same command again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
name=$1 language=$2 substrate=$3 train=$4 valid=$5 prompt=$6 stages=$7; shift 7
stage=1 before=
while [ "$stage" -le "$stages" ]; do
    "$here/expert.sh" "$name-$stage" "$language" "$substrate" "$train" "$valid" "$prompt" --layers "$stage" ${before:+--grow "$before"} "$@"
    before=runs/$name-$stage stage=$((stage + 1))
done
