#!/usr/bin/env bash
# Runs the tests of this module, with the Docker engine that engine.sh found or
# started. Arguments go to `go test`; without any, all tests run, and those few that
# fail run once more, by themselves.
set -euo pipefail
cd "$(dirname "$0")"
# Tests that may run side by side mostly wait, whatever the number of processors.
all=
[ $# -gt 0 ] || { all=1; set -- -timeout 40m -parallel 6 ./...; }

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
[ -n "$all" ] || exec go test -p 1 -count=1 "$@"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
go test -p 1 -count=1 "$@" 2>&1 | tee "$log" || code=$?
[ "$code" != 0 ] || exit 0

# Whole clusters that lose brokers, on a machine of two processors, now and then stand
# still for longer than a test waits. What fails again fails; what does not is told, with
# what it said, for somebody to look at. More than three, or a package that failed but by
# its tests, are no accident: a process that broke off ran no more of them.
mapfile -t failed < <(sed -nE 's/^--- FAIL: (\w+) .*/\1/p' "$log" | sort -u)
# A package ends with a line of its own. Each that failed has a failed test before that,
# and nothing that ends a process.
broken=$(awk '
  /^--- FAIL: / { tests++ }
  /^(panic|fatal error): |^signal: |^exit status [^1]|\[(build|setup) failed\]/ { broken = 1 }
  /^FAIL\t/ { if (!tests) broken = 1; tests = 0 }
  END { print broken + 0 }' "$log")
if [ "${#failed[@]}" = 0 ] || [ "${#failed[@]}" -gt 3 ] || [ "$broken" != 0 ]; then
  exit "$code"
fi
names=$(IFS='|'; echo "${failed[*]}")
echo "Failed: ${failed[*]}. Once more, by themselves:"
code=0
go test -p 1 -count=1 -timeout 20m -run "^($names)\$" ./... || code=$?
echo "What they said at first:"
awk -v names="^--- FAIL: ($names) " '/^(--- |FAIL|ok )/ { on = $0 ~ names } on' "$log" | head -n 200
[ "$code" = 0 ] && echo "UNSTEADY: ${failed[*]} failed once, and not when run again." || echo "FAILED TWICE: see above."
exit "$code"
