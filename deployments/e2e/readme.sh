#!/usr/bin/env bash
# Runs the README's commands for servers and the nats CLI, as the README prints them,
# one after the other, and checks their answers.
#
# Needs: go, redis-server, and nats and nats-server in PATH or bin/. Ports 4222,
# 6379, 8080 and 8081 of 127.0.0.1 must be free. The script kills what it
# starts.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PWD/bin:$PATH

work=$(mktemp -d)
# No saved context of the person who runs this may reach the nats CLI, and what
# the servers keep goes with the folder.
export XDG_CONFIG_HOME=$work TMPDIR=$work
unset NATS_URL REDIS_URL

cleanup() {
  local status=$?
  if [ "$status" != 0 ]; then
    tail -n 30 "$work"/log.* || true
  fi
  [ -z "${group:-}" ] || kill -KILL -- "-$group" 2>/dev/null || true
  rm -rf "$work" line.png
  exit "$status"
}
trap cleanup EXIT

# block N: the Nth sh block below the README's heading of this section.
block() {
  awk -v want="$1" '
    /^## / { inside = /nats. CLI/ }
    inside && /^```sh$/ { n++; copy = (n == want); next }
    /^```$/ { copy = 0 }
    copy' README.md
}

# await SECONDS WHAT COMMAND…: until COMMAND succeeds.
await() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >"$work/await" 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { cat "$work/await"; echo "readme: no $what in time" >&2; return 1; }
    sleep 0.2
  done
}

# expect PATTERN: the last block's output must have a line like that.
expect() {
  grep -Eq "$1" "$work/out" || { cat "$work/out"; echo "readme: no line like $1" >&2; return 1; }
}

ready() { curl -sf "http://127.0.0.1:$1/readyz"; }
succeeded() { nats req --raw tributary.jobs.list '' | grep -q '"id":"digits-[^"]*","state":"succeeded"'; }

# The servers, in a process group of their own, so that all of it can be ended.
{ echo "cd $(printf %q "$PWD")"; block 1 | sed "s|-sd nats-data|-sd $work/nats|"; echo wait; } >"$work/servers"
set -m
bash "$work/servers" >"$work/log.servers" 2>&1 &
group=$!
set +m
await 180 "coordinator" ready 8080
await 180 "worker" ready 8081

run() {
  block "$1" >"$work/block"
  [ -s "$work/block" ] || { echo "readme: no block $1" >&2; return 1; }
  bash -euo pipefail -x "$work/block" >"$work/out" 2>"$work/log.block" || { cat "$work/out"; return 1; }
  cat "$work/log.block" >>"$work/out"
}

run 2
expect 'tributary-predict'
expect '"id":"line","state":"submitted"'
expect '"type":"state","state":"preparing"'
expect '"type":"progress"'
expect '"type":"state","state":"succeeded"'
expect '"parameters_sha256":"[0-9a-f]{64}"'
expect '"model":"line","predictions":\[9\.[0-9]+\]'
echo "readme: submitted, followed, asked: $(grep -Eo '"predictions":\[[^]]*\]' "$work/out")"

run 3
[ -s line.png ]
expect '"id":"digits-[a-z0-9]+","state":"submitted"'
expect '"outcome":'
await 60 "digits job" succeeded
echo "readme: trained on a dataset from an object bucket"

# Errors reach a person in the body.
nats req --raw tributary.predict.nobody '{"rows":[[1]]}' >"$work/out"
expect '"code":404.*there is no model'
nats req --raw tributary.jobs.submit 'name: x' >"$work/out"
expect '"code":400.*optimizer: missing'
nats micro stats tributary >"$work/out"
expect 'submit'
echo "readme: errors say what is wrong"
