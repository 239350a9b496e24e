#!/bin/sh
# Packs the Go modules for a module proxy: pack.sh FOLDER, see internal/pack.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"
exec go run ./internal/pack "$folder"
