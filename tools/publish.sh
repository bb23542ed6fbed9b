#!/usr/bin/env bash
# Publishes what an image holds: tools/publish.sh OUT [cpu|cuda]. The same sources give the same bytes wherever they lie; packages
# come in the versions of the lock files; OUT/sbom.json (CycloneDX 1.6) lists every package and every file.
set -euo pipefail
out=$(realpath -m "${1:?where to?}")
flavour=${2:-cpu}
cd "$(dirname "$0")/.."
export CI=true DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

properties=(-p:BundleModels=false -p:DebugType=none -p:PublishDocumentationFiles=false -p:UseAppHost=false -p:PathMap="$PWD=/source")
locked=src/Server/packages.lock.json
# The backend for GPUs has packages of its own, resolved from the one version in Directory.Packages.props.
[ "$flavour" = cuda ] && properties+=(-p:Torch=cuda) && locked=src/Server/obj/torch-cuda/packages.lock.json
rm -rf "$out"
dotnet publish src/Server/Server.csproj -c Release -o "$out" -v quiet "${properties[@]}"
dotnet run tools/sbom.cs -- "$out" "$locked" >"$out/sbom.json.new"
mv "$out/sbom.json.new" "$out/sbom.json"
