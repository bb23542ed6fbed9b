#!/usr/bin/env bash
# Runs what an image holds as a container would, without a container engine: published files on a read-only root, 16 MiB of /tmp, user
# 1654 without capabilities, HOME or shell profile, a network with nothing but loopback, models mounted read-only.
#
#   tools/image-smoke.sh [PUBLISHED]      publishes first when no folder is given; needs root and util-linux
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" -eq 0 ] || { echo "skipped: needs root for a mount namespace"; exit 0; }
    app=${1:-}
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if [ -z "$app" ]; then
        app=$work/app
        tools/publish.sh "$app" cpu
    fi
    chmod 755 "$work"
    mkdir "$work/root"
    unshare --mount --net --pid --fork "$0" --inside "$(realpath "$app")" "$work/root" "$(dirname "$(realpath "$(command -v dotnet)")")"
    exit
fi

app=$2 root=$3 dotnet=$4
ip link set lo up
mount -t tmpfs tmpfs "$root"
mkdir -p "$root"/{app,models,dotnet,tmp,proc,dev,etc,lib,lib64,usr}
mount --bind "$app" "$root/app"
mount --bind "$PWD/models" "$root/models"
mount --bind "$dotnet" "$root/dotnet"
for folder in lib lib64 usr; do mount --rbind "/$folder" "$root/$folder"; done
for device in null zero random urandom; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mount -t proc proc "$root/proc"
for folder in app models dotnet; do mount -o remount,bind,ro "$root/$folder"; done
mount -o remount,ro "$root"
mount -t tmpfs -o size=16m,mode=1777,nosuid,nodev,noexec tmpfs "$root/tmp"

fail() { echo "FAILED: $*"; sed 's/^/    /' "$log" | tail -5; exit 1; }
log=$(mktemp)
url=http://127.0.0.1:8080
env -i ASPNETCORE_HTTP_PORTS=8080 DOTNET_EnableDiagnostics=0 Serving__Models=/models Serving__AllowWithoutKey=true \
    "$(command -v chroot)" "$root" /usr/bin/setpriv --reuid=1654 --regid=1654 --clear-groups --no-new-privs --bounding-set=-all \
    /dotnet/dotnet /app/Serving.Server.dll >"$log" 2>&1 &
server=$!
for _ in $(seq 300); do curl -sf "$url/health/ready" >/dev/null && break; kill -0 $server 2>/dev/null || break; sleep 0.1; done
curl -sf "$url/health/ready" >/dev/null || fail "never ready"

checks=0
expect() { checks=$((checks + 1)); grep -q -- "$3" <<< "$2" || fail "$1: $2"; echo "ok: $1"; }
complete() { curl -s "$url/v1/completions" -H 'content-type: application/json' -d "$1"; }
expect "live" "$(curl -s $url/health/live)" '"live"'
expect "started" "$(curl -s $url/health/startup)" '"percent":100'
expect "lists models" "$(curl -s $url/v1/models)" '"glyph-en"'
expect "completes" "$(complete '{"model":"glyph-en","prompt":"The old house","max_tokens":8}')" '"finish_reason":"length"'
expect "streams" "$(complete '{"model":"glyph-ru","prompt":"В начале","max_tokens":8,"stream":true}')" 'data: \[DONE\]'
expect "averages" "$(complete '{"model":"glyph-en+glyph-zh","prompt":"The","max_tokens":8}')" '"system_fingerprint":"fp_'
expect "refuses what is wrong" "$(complete '{"model":"glyph-en","prompt":"x","temperature":9}')" '"code":"invalid_value"'
expect "replaces a model" "$(curl -s -X POST $url/v1/models/glyph-en/load)" '"state":"ready"'
expect "measures" "$(curl -s $url/metrics)" 'vllm:generation_tokens_total'
expect "describes itself" "$(curl -s $url/openapi/v1.json)" '"createCompletion"'
expect "runs as 1654" "$(awk '/^Uid:/ {print $2}' $root/proc/$server/status)" '^1654$'
expect "has no capability" "$(awk '/^Cap(Eff|Prm|Bnd):/ {print $2}' $root/proc/$server/status | sort -u)" '^0*$'
expect "bill lists every assembly" "$(for dll in "$app"/*.dll; do grep -q "\"name\": \"${dll##*/}\"" "$app/sbom.json" || echo "$dll"; done; echo none missing)" '^none missing$'
expect "wrote nowhere but to /tmp" "$(find "$root" -xdev -newer "$log" -type f -not -path "$root/dev/*" | wc -l)" '^0$'
kill -TERM $server
wait $server && code=0 || code=$?
expect "exits 0 on SIGTERM" "$code" '^0$'
echo "$checks checks on the published files, as user 1654 on a read-only root, without a network"
