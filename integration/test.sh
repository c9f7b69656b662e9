#!/usr/bin/env bash
# Runs the tests of this module, with the Docker engine that engine.sh found or
# started. Arguments go to `go test`.
set -euo pipefail
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- -timeout 18m ./...

# The image is had first, so that its cost is not a test's, and so that what building
# it needs can be installed where it can be neither found nor pulled.
go run ./image/ensure 2>/dev/null || {
  ../scripts/debian-packages.sh mvn=maven jlink=openjdk-17-jdk-headless
  go run ./image/ensure
}

# One package at a time: each starts clusters of its own.
exec go test -p 1 -count=1 "$@"
