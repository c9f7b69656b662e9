#!/usr/bin/env bash
# Runs the tests of this module, with the Docker engine that engine.sh found or
# started. Arguments go to `go test`.
set -euo pipefail
cd "$(dirname "$0")"
# Tests that may run side by side mostly wait, whatever the number of processors.
[ $# -gt 0 ] || set -- -timeout 40m -parallel 6 ./...

# The image is had first, so that its cost is not a test's, and so that what building
# it needs can be installed where it can be neither found nor pulled: exit code 3.
# `go run` would turn any exit code into 1.
ensure=../.cache/bin/ensure
go build -buildvcs=false -o "$ensure" ./image/ensure
code=0
"$ensure" || code=$?
if [ "$code" = 3 ]; then
  tools=(mvn=maven)
  [ -x "${JAVA_HOME:-/nonexistent}/bin/jlink" ] || tools+=('jlink=openjdk-17-jdk-headless|openjdk-21-jdk-headless')
  ../scripts/debian-packages.sh "${tools[@]}"
  code=0
  "$ensure" -offline || code=$?
fi
[ "$code" = 0 ] || exit "$code"

# A member that runs on librdkafka. Where it cannot be installed, the tests that need it
# fail and say so, and the others run.
../scripts/debian-packages.sh kcat=kcat || true

# One package at a time: each starts clusters of its own.
exec go test -p 1 -count=1 "$@"
