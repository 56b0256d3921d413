# Shared by the scripts in this folder: where things are, and how a daemon is started and stopped.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${STAGEDOOR_TEST_DIR:-$here/../../target/test-env}
mkdir -p "$dir/run" "$dir/log"
dir=$(cd "$dir" && pwd)
venv=$dir/venv

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# One caller at a time. Daemons are started with 9>&-, or they would hold the lock for good.
lock() {
  exec 9>"$dir/lock"
  flock -w 600 9 || die "another run holds $dir/lock"
}

# PostgreSQL refuses to run as root: there it runs as the user its package made. Execs, so a pid stays the pid.
db_user=()
if [ "$(id -u)" -eq 0 ]; then
  db_user=(setpriv --reuid postgres --regid postgres --init-groups --)
fi

pg_bin() {
  local found
  found=$(find /usr/lib/postgresql -maxdepth 3 -name pg_ctl 2>/dev/null | sort -V | tail -1)
  [ -n "$found" ] || die "no PostgreSQL server: run install first"
  dirname "$found"
}

# A pid file holds the pid and when the process began, so that a recycled pid is never taken for ours.
began() { awk '$3 != "Z" { print $22 }' "/proc/$1/stat" 2>/dev/null || true; }

alive() {
  local pid since
  [ -s "$dir/run/$1.pid" ] || return 1
  read -r pid since <"$dir/run/$1.pid"
  [ -n "$since" ] && [ "$(began "$pid")" = "$since" ]
}

# spawn NAME COMMAND...: in a session of its own; log and pid file in the test directory.
spawn() {
  local name=$1
  shift
  if alive "$name"; then return; fi
  local at=$dir
  # Its user may not be able to enter the test directory.
  if [ "$name" = postgres ]; then at=/; fi
  (cd "$at" && exec setsid "$@") >>"$dir/log/$name.log" 2>&1 </dev/null 9>&- &
  echo "$! $(began $!)" >"$dir/run/$name.pid"
}

# reap NAME [SIGNAL]: ask, wait ten seconds for the exit, then insist; workers left behind go with it.
reap() {
  local pid i
  if alive "$1"; then
    read -r pid _ <"$dir/run/$1.pid"
    kill -s "${2:-TERM}" "$pid" 2>/dev/null || true
    for ((i = 0; i < 200; i++)); do
      alive "$1" || break
      sleep 0.05
    done
    kill -s KILL -- "-$pid" 2>/dev/null || true
    while alive "$1"; do sleep 0.05; done
  fi
  rm -f "$dir/run/$1.pid"
}

# await NAME COMMAND...: until the command succeeds; else show the daemon's log.
await() {
  local name=$1 i
  shift
  for ((i = 0; i < 1800; i++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    alive "$name" || break
    sleep 0.1
  done
  tail -20 "$dir/log/$name.log" >&2
  die "$name did not come up"
}

# Where PostgreSQL's files are: here, or where its user can enter if that is not here.
pg_dir() { cat "$dir/run/pg-dir" 2>/dev/null || echo "$dir/pg"; }

# Stops everything that was started, by pid file.
stop_all() {
  local name
  for name in events api redis; do reap "$name"; done
  reap postgres INT
  if [ -s "$dir/run/pg-dir" ]; then
    rm -rf "$(pg_dir)" "$dir/run/pg-dir" "$dir/clean"
  fi
  rm -f "$dir/zou.env"
}

# The settings of this zou: ports and secret are made once for each start, see `start`.
settings() {
  [ -s "$dir/run/settings" ] || die "not started"
  set -a
  # shellcheck source=/dev/null
  . "$dir/run/settings"
  # The servers keep files in it.
  HOME=$dir
  set +a
}

sql() {
  PGOPTIONS='-c client_min_messages=warning' \
    psql -X -q -v ON_ERROR_STOP=1 -At -h 127.0.0.1 -p "$DB_PORT" -U postgres -d "${DB:-zou}" "$@"
}

start_api() {
  spawn api "$venv/bin/gunicorn" -k gevent -w 2 -b "127.0.0.1:$API_PORT" --graceful-timeout 1 zou.app:app
  await api curl -fsS -m 5 "http://127.0.0.1:$API_PORT/"
}

start_events() {
  spawn events "$venv/bin/gunicorn" -k geventwebsocket.gunicorn.workers.GeventWebSocketWorker -w 1 \
    -b "127.0.0.1:$EVENT_STREAM_PORT" --graceful-timeout 1 zou.event_stream:app
  await events curl -fsS -m 5 "http://127.0.0.1:$EVENT_STREAM_PORT/socket.io/?EIO=4&transport=polling"
}
