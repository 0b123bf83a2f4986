#!/usr/bin/env bash
# The compose deployment, end to end: docker-compose.yml as it is, three
# workers, a job submitted by the nats CLI through 127.0.0.1, and the same
# parameters as from one process.
#
#   compose.sh [SHA256]
#
# SHA256 is the expected parameters_sha256; without it, the job is trained with
# `go run ./coordinator train` first. SPEC (deployments/jobs/digits.yaml),
# WORKERS (3), NATS_PORT (4222) and TIMEOUT (300, seconds for the job) come
# from the environment. The script removes everything that it starts.
#
# Needs: docker with compose, the nats CLI, jq, go; and the needs of images.sh, if the
# public images cannot be pulled.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly spec=${SPEC:-deployments/jobs/digits.yaml}
readonly workers=${WORKERS:-3}
readonly timeout=${TIMEOUT:-300}
export NATS_PORT=${NATS_PORT:-4222}
export TRIBUTARY_TAG=e2e
export COMPOSE_PROJECT_NAME=tributary-e2e

work=$(mktemp -d)
# No saved context of the person who runs this may reach the nats CLI.
export XDG_CONFIG_HOME=$work NATS_URL=nats://127.0.0.1:$NATS_PORT

docker info >"$work/docker" 2>&1 || { cat "$work/docker"; echo "compose: no Docker engine answers" >&2; exit 1; }
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi

cleanup() {
  local status=$?
  if [ "$status" != 0 ]; then
    "${compose[@]}" ps || true
    "${compose[@]}" logs --no-color --tail=40 || true
  fi
  "${compose[@]}" down --volumes --remove-orphans --timeout 10 >"$work/down" 2>&1 || cat "$work/down"
  docker image rm tributary/coordinator:e2e tributary/worker:e2e >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT

# request SUBJECT BODY: the answer's body. An error is in the body too.
request() {
  nats request --raw --timeout 10s "$1" "$2"
}

# healthy N: whether N containers of the project are running and healthy.
healthy() {
  local n
  n=$(docker ps --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --filter health=healthy | wc -l)
  [ "$n" -ge "$1" ]
}

# await SECONDS WHAT COMMAND…: until COMMAND succeeds, asked twice a second.
await() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || { echo "compose: no $what in time" >&2; return 1; }
    sleep 0.5
  done
}

# finished: whether the job is in a final state; its record is in $work/record.
finished() {
  request tributary.jobs.get "{\"id\":\"$id\"}" >"$work/record"
  jq -e '.state | IN("succeeded", "failed", "cancelled")' "$work/record" >/dev/null
}

want=${1:-}
if [ -z "$want" ]; then
  want=$(go run ./coordinator train "$spec" --out "$work/reference" | tail -n 1 | jq -er .parameters_sha256)
fi

deployments/e2e/images.sh
"${compose[@]}" build >"$work/build" 2>&1 || { tail -n 60 "$work/build"; exit 1; }
"${compose[@]}" up --detach --scale "worker=$workers" >"$work/up" 2>&1 || { cat "$work/up"; exit 1; }
await 120 "healthy deployment" healthy $((workers + 3))

request tributary.jobs.submit "$(cat "$spec")" >"$work/submitted"
id=$(jq -er .id "$work/submitted") || { cat "$work/submitted"; exit 1; }
await "$timeout" "end of job $id" finished
if ! jq -e '.state == "succeeded"' "$work/record" >/dev/null; then
  jq . "$work/record"
  exit 1
fi
got=$(jq -er .outcome.parameters_sha256 "$work/record")
if [ "$got" != "$want" ]; then
  echo "compose: job $id ended with parameters $got, want $want" >&2
  exit 1
fi
echo "compose: job $id by $workers workers: $(jq -c '.outcome | {steps, seconds, parameters_sha256}' "$work/record")"
