#!/usr/bin/env bash
# Renders every overlay into k8s/rendered/, for those who apply without kustomize and for the tests, which check every rule on it.
set -euo pipefail
cd "$(dirname "$0")"
for overlay in overlays/*/; do kubectl kustomize "$overlay" >"rendered/$(basename "$overlay").yaml"; done
