#!/usr/bin/env bash
# Installs the packages of commands that are missing, on Debian as root.
#
#   debian-packages.sh COMMAND=PACKAGE[,PACKAGE...] ...
#
# Elsewhere it says what is missing and fails. Where nothing is missing it does
# nothing.
set -euo pipefail

missing=() packages=()
for need in "$@"; do
  command=${need%%=*}
  command -v "$command" >/dev/null && continue
  missing+=("$command")
  IFS=, read -ra names <<<"${need#*=}"
  packages+=("${names[@]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "${missing[*]} not found: install the package that has it (on Debian: ${packages[*]})" >&2
  exit 1
fi
echo "installing ${packages[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update &&
    apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install -y --no-install-recommends "${packages[@]}"
} >"$log" 2>&1 || {
  cat "$log" >&2
  echo "apt-get could not install ${packages[*]}; its output is above" >&2
  exit 1
}
