#!/usr/bin/env bash
# Runs a command with a working Docker engine, for the tests of this folder.
#
#   engine.sh run -- CMD...   run CMD with DOCKER_HOST set; exit with CMD's code
#   engine.sh start           start a private engine and leave it running
#   engine.sh env             print the export line that reaches the engine
#   engine.sh stop            stop the private engine that `start` left
#
# An engine that already answers, at DOCKER_HOST or at one of the usual sockets,
# is used as it is and never stopped. Only where none does, and the system is
# Debian-like and the user root, docker.io is installed and a private dockerd is
# started. Several runs share it; the last one to end stops it.
#
#   GROUPKIT_ENGINE_DATA   its images, kept between runs (/var/cache/groupkit/engine)
#   GROUPKIT_ENGINE_RUN    its socket, pid, locks and log (/run/groupkit)
set -euo pipefail

DATA=${GROUPKIT_ENGINE_DATA:-/var/cache/groupkit/engine}
RUN=${GROUPKIT_ENGINE_RUN:-/run/groupkit}
SOCKET=$RUN/docker.sock
PIDFILE=$RUN/dockerd.pid
REAPERS=$RUN/reapers
LOG=$RUN/dockerd.log
LAUNCHED= # the dockerd that this process has started, as long as that may run
DENIED=   # a socket that this user may not write to

say() { printf 'engine.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

# --- finding an engine that is there already --------------------------------

# ping URL: does an engine answer there? Needs no docker CLI. What it cannot ask,
# for want of curl and perl (perl-base is on every Debian) or of certificates, is
# taken to answer, and left to the client.
ping() {
  local url=$1
  case $url in
  unix://*)
    local path=${url#unix://}
    [ -S "$path" ] || return 1
    [ -w "$path" ] || { DENIED=$path; return 1; }
    if command -v curl >/dev/null; then
      curl -fsS -m 5 -o /dev/null --unix-socket "$path" http://engine/_ping 2>/dev/null
    elif command -v perl >/dev/null; then
      perl -MIO::Socket::UNIX -e 'alarm 5;
        my $s = IO::Socket::UNIX->new(Peer => shift) or exit 1;
        print $s "GET /_ping HTTP/1.0\r\n\r\n"; exit(<$s> =~ / 200 / ? 0 : 1)' "$path"
    fi ;;
  tcp://* | http://* | https://*)
    [ -z "${DOCKER_TLS_VERIFY:-}" ] || return 0
    command -v curl >/dev/null || return 0
    curl -fsS -m 5 -o /dev/null "http://${url#*://}/_ping" 2>/dev/null ;;
  *) return 0 ;; # ssh:// and npipe://
  esac
}

# find_engine sets ENGINE to the address of an engine that is not ours to start
# and stop. For who is not root, the private one of root is none of ours either.
find_engine() {
  local candidate
  ENGINE=
  if [ -n "${DOCKER_HOST:-}" ] && { [ "$DOCKER_HOST" != "unix://$SOCKET" ] || [ "$(id -u)" != 0 ]; }; then
    if ping "$DOCKER_HOST"; then ENGINE=$DOCKER_HOST; return 0; fi
    [ -n "$DENIED" ] || say "nothing answers at DOCKER_HOST=$DOCKER_HOST, looking elsewhere"
  fi
  for candidate in /var/run/docker.sock "${XDG_RUNTIME_DIR:-/nonexistent}/docker.sock" \
    "${HOME:-/nonexistent}/.docker/run/docker.sock" "${HOME:-/nonexistent}/.docker/desktop/docker.sock"; do
    if ping "unix://$candidate"; then ENGINE=unix://$candidate; return 0; fi
  done
  return 1
}

# --- the private engine -----------------------------------------------------

# require_debian_root ends the script where no engine can be started.
require_debian_root() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && return 0
  [ -z "$DENIED" ] ||
    die "you may not use the Docker engine at $DENIED: join the group that owns this socket (mostly by \`sudo usermod -aG docker $(id -un)\`) and log in again, or run this as root"
  die "no Docker engine answers at DOCKER_HOST or the usual sockets: start Docker (or set DOCKER_HOST), or run this as root on Debian or Ubuntu, where it installs and starts one itself"
}

install_packages() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v iptables >/dev/null || missing+=(iptables)
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  {
    apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update &&
      apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install -y --no-install-recommends "${missing[@]}"
  } >"$RUN/apt.log" 2>&1 7>&- 8>&- 9>&- ||
    die "apt-get could not install ${missing[*]}: $(grep -m1 '^E:' "$RUN/apt.log" || tail -n1 "$RUN/apt.log") (all of it in $RUN/apt.log)"
}

# command_line PID: its words, or nothing when there is no such process. The order of
# the redirections matters: the shell itself complains of a file that is not there.
command_line() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" || true; }

# engine_pid prints the pid of our dockerd. A pid alone may be another process
# by now, so its command line has to name our pid file.
engine_pid() {
  local pid
  pid=$(cat "$PIDFILE" 2>/dev/null) || return 1
  [ -n "$pid" ] && command_line "$pid" | grep -qF -- "--pidfile=$PIDFILE " || return 1
  echo "$pid"
}

# launch ARGS...: starts dockerd and waits up to 60 s until it answers.
launch() {
  local deadline=$((SECONDS + 60))
  rm -f "$SOCKET" "$PIDFILE"
  # A session of its own: Ctrl-C in the terminal must reach the tests, which
  # still need the engine to remove what they started.
  (
    exec 7>&- 8>&- 9>&-
    cd /
    ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
    exec setsid dockerd --data-root="$DATA" --exec-root="$RUN/exec" --pidfile="$PIDFILE" \
      --host="unix://$SOCKET" --shutdown-timeout=10 "$@" </dev/null >"$LOG" 2>&1
  ) &
  LAUNCHED=$!
  while [ $SECONDS -lt $deadline ]; do
    if ping "unix://$SOCKET" && engine_pid >/dev/null; then return 0; fi
    kill -0 "$LAUNCHED" 2>/dev/null || return 1
    sleep 0.2
  done
  stop_private
  return 1
}

# start_private brings the private engine up unless it is already. What the
# default start fails on decides what the next try changes.
start_private() {
  if engine_pid >/dev/null && ping "unix://$SOCKET"; then return 0; fi
  stop_private
  mkdir -p "$DATA" "$RUN/exec"
  local args=()
  for _ in 1 2 3; do
    launch ${args[@]+"${args[@]}"} && return 0
    if grep -qi 'iptables' "$LOG" && ! [ -d "$RUN/bin" ] && command -v iptables-legacy >/dev/null; then
      say "dockerd did not come up with this kernel's nftables, trying iptables-legacy"
      mkdir -p "$RUN/bin"
      ln -sf "$(command -v iptables-legacy)" "$RUN/bin/iptables"
      ln -sf "$(command -v ip6tables-legacy || command -v iptables-legacy)" "$RUN/bin/ip6tables"
      export PATH=$RUN/bin:$PATH
    elif grep -qiE 'graph ?driver|storage.driver|overlay' "$LOG" && [ ${#args[@]} = 0 ]; then
      say "dockerd did not come up with its own choice of storage, trying vfs (slow, and large on disk)"
      args=(--storage-driver=vfs)
    else
      break
    fi
  done
  die "dockerd did not come up: $(grep -E 'level=(fatal|error)|failed to start|^dockerd' "$LOG" | tail -n1) (all of it in $LOG)"
}

# end_process PID SECONDS: SIGTERM, and SIGKILL after that long.
end_process() {
  local pid=$1 deadline=$((SECONDS + $2))
  kill -TERM "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null && [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" != Z ]; do
    if [ $SECONDS -ge $deadline ]; then kill -KILL "$pid" 2>/dev/null || true; fi
    [ $SECONDS -lt $((deadline + 5)) ] || return 0
    sleep 0.1
  done
}

# stop_private stops our dockerd, and its containerd where dockerd could not.
stop_private() {
  local pid
  # Just launched, it may not have written its pid yet.
  if pid=$(engine_pid) || pid=$LAUNCHED && [ -n "$pid" ]; then end_process "$pid" 30; fi
  LAUNCHED=
  pid=$(cat "$RUN/exec/containerd/containerd.pid" 2>/dev/null) || pid=
  if [ -n "$pid" ] && command_line "$pid" | grep -qF "$RUN/exec/containerd/"; then
    end_process "$pid" 10
  fi
  rm -f "$SOCKET" "$PIDFILE"
}

# --- sharing it -------------------------------------------------------------
# fd 9: held while the engine is started or stopped. fd 8: held in shared mode
# for as long as a run lasts; the kernel drops it whatever ends the run. The
# file `keep` stands for a `start` that no `stop` has answered. `reapers` is locked
# in shared mode by processes that remove the clusters of a run that has ended.

# lock [SECONDS]: fails after that long, if it is given.
lock() {
  mkdir -p "$RUN" || die "cannot create $RUN"
  exec 9>>"$RUN/lock"
  flock ${1:+-w "$1"} 9
}
unlock() { exec 9>&-; }

# in_use: does any run hold the engine?
in_use() {
  exec 7>>"$RUN/users"
  if flock -n -x 7; then exec 7>&-; return 1; fi
  exec 7>&-
}

# stop_unused stops the private engine unless a run holds it, and waits for those
# that still clean up on it.
stop_unused() {
  if in_use; then return 1; fi
  exec 6>>"$REAPERS"
  flock -x -w 60 6 || say "the clusters of a run that has ended are not all removed after 60 s, the engine is stopped nevertheless"
  exec 6>&-
  stop_private
}

# prepare_private takes the lock and leaves with the engine up, to be stopped at
# the exit of this script. The engine that apt starts itself, where there is a
# systemd, is preferred to one of ours.
prepare_private() {
  require_debian_root
  lock
  install_packages
  if [ -d /run/systemd/system ] && find_engine; then unlock; return 0; fi
  trap release EXIT
  trap 'exit 130' INT # bash goes on if its child takes Ctrl-C for success
  start_private
  ENGINE=unix://$SOCKET
}

# release gives the engine up. Who holds the lock for a minute is busy with it,
# and is then the last to end.
release() {
  trap '' INT TERM HUP
  trap - EXIT
  exec 8>&-
  lock 60 || return 0
  [ -e "$RUN/keep" ] || stop_unused || true
  unlock
}

# in_group PGID: does any process of the group run? One that has ended and that
# nobody waits for does not.
in_group() {
  local stat fields
  kill -0 -- "-$1" 2>/dev/null || return 1
  for stat in /proc/[0-9]*/stat; do
    { read -r stat <"$stat"; } 2>/dev/null || continue
    read -ra fields <<<"${stat##*)}" # state, parent, group
    if [ "${fields[2]}" = "$1" ] && [ "${fields[0]}" != Z ]; then return 0; fi
  done
  return 1
}

run() {
  [ "${1:-}" != -- ] || shift
  [ $# -gt 0 ] || usage
  if find_engine; then export DOCKER_HOST=$ENGINE; exec "$@"; fi
  prepare_private
  export DOCKER_HOST=$ENGINE
  if [ "$ENGINE" != "unix://$SOCKET" ]; then exec "$@"; fi
  exec 8>>"$RUN/users"
  flock -s 8
  unlock

  # Job control gives CMD a process group of its own with default signals, so
  # that this script can pass a signal on, wait for CMD's own clean-up, and only
  # then take the engine away.
  export GROUPKIT_CLUSTER_REAPER_LOCK=$REAPERS
  local s deadline child='' code=0 signal=''
  for s in INT TERM HUP; do
    # shellcheck disable=SC2064
    trap "signal=$s; [ -z \"\$child\" ] || kill -$s -- \"-\$child\" 2>/dev/null || true" "$s"
  done
  set -m
  "$@" <&0 8>&- &
  child=$!
  set +m
  [ -z "$signal" ] || kill "-$signal" -- "-$child" 2>/dev/null || true
  while :; do
    wait "$child" && code=0 || code=$?
    # wait also returns, above 128, when a trap ran: CMD may still be there.
    kill -0 "$child" 2>/dev/null || break
  done
  # What CMD has started may outlive it: `go` leaves its tests behind on SIGTERM.
  deadline=$((SECONDS + 30))
  while in_group "$child" && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
  trap '' INT TERM HUP
  [ -z "$signal" ] || say "stopped by SIG$signal"
  exit "$code"
}

case ${1:-} in
run) shift; run "$@" ;;
start)
  if find_engine; then say "an engine already answers at $ENGINE"; else
    prepare_private
    [ "$ENGINE" != "unix://$SOCKET" ] || touch "$RUN/keep"
    unlock
  fi
  echo "export DOCKER_HOST=$ENGINE" ;;
env)
  if find_engine; then :; elif ping "unix://$SOCKET"; then ENGINE=unix://$SOCKET; else
    die "no engine answers: '$0 start' starts one"
  fi
  echo "export DOCKER_HOST=$ENGINE" ;;
stop)
  [ -d "$RUN" ] || exit 0
  lock
  rm -f "$RUN/keep"
  stop_unused || say "runs still use the engine: the last one to end stops it"
  unlock ;;
*) usage ;;
esac
