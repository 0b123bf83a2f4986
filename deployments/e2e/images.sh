#!/usr/bin/env bash
# Makes local stand-ins for the four public images that docker-compose.yml and
# the Dockerfile name, under the same tags, from programs of this machine, so
# that the deployment can be tested without a registry. The script keeps an image
# that exists already and is not a stand-in.
#
#   images.sh           make what is missing
#   images.sh --remove  remove the stand-ins, and nothing else
#
# Needs: docker, go, busybox, redis-server, redis-cli; the script names missing ones.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly label=tributary.stand-in
readonly nats_image=${NATS_IMAGE:-nats:2.15-alpine}
readonly redis_image=${REDIS_IMAGE:-redis:7.2-alpine}
readonly go_image=${GO_IMAGE:-golang:1.26}
readonly base_image=${BASE_IMAGE:-gcr.io/distroless/static-debian12:nonroot}

# missing: the programs and files that this machine lacks, one per line.
missing() {
  local name
  for name in docker go busybox redis-server redis-cli ldd tar sha256sum; do
    command -v "$name" >/dev/null || echo "$name: no such program in PATH"
  done
  [ -r /etc/ssl/certs/ca-certificates.crt ] || echo "/etc/ssl/certs/ca-certificates.crt: no such file; install the package ca-certificates"
  ! command -v docker >/dev/null || docker info >/dev/null 2>&1 || echo "docker: no engine answers; start it, or join the group that may use it"
}
lacks=$(missing)
if [ -n "$lacks" ]; then
  printf 'images: this machine lacks parts for the stand-ins:\n%s\n' "$lacks" >&2
  echo "images: install it, or pull $nats_image, $redis_image, $go_image and $base_image" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# label_of IMAGE: the stand-in's key, "real" for an image that is not a stand-in, or
# nothing if there is no such image.
label_of() {
  docker image inspect --format "{{with index .Config.Labels \"$label\"}}{{.}}{{else}}real{{end}}" "$1" 2>/dev/null || true
}

# wanted IMAGE KEY: whether a stand-in has to be made.
wanted() {
  case $(label_of "$1") in
    real) echo "images: $1 is here already, and used as it is"; return 1 ;;
    "$2") echo "images: $1 stand-in is up to date"; return 1 ;;
  esac
}

# root NAME: an empty root file system with users, root certificates and /tmp.
root() {
  local r=$work/$1
  mkdir -p "$r"/{bin,etc/ssl/certs,tmp,usr/local/bin}
  chmod 1777 "$r/tmp"
  printf 'root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n' >"$r/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$r/etc/group"
  cp -L /etc/ssl/certs/ca-certificates.crt "$r/etc/ssl/certs/"
  echo "$r"
}

# program ROOT FOLDER NAME: a program and its shared libraries; a static program
# has none.
program() {
  local path lib
  path=$(command -v "$3")
  cp -L "$path" "$1$2/$3"
  for lib in $(ldd "$path" 2>/dev/null | grep -o '/[^ ]*' || true); do
    mkdir -p "$1$(dirname "$lib")"
    cp -L "$lib" "$1$lib"
  done
}

# shell ROOT: a busybox with its links.
shell() {
  local applet
  program "$1" /bin busybox
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"
  done
}

# import ROOT IMAGE KEY CHANGE…: the root as an image of one layer.
import() {
  local r=$1 image=$2 key=$3 change args=()
  shift 3
  for change in "LABEL $label=$key" 'ENV PATH=/usr/local/go/bin:/usr/local/bin:/bin' "$@"; do
    args+=(--change "$change")
  done
  tar -C "$r" --owner=0 --group=0 -c . | docker import "${args[@]}" - "$image" >/dev/null
  echo "images: $image stand-in made"
}

make_nats() {
  local key r
  key=$(go list -m -f '{{.Version}}' github.com/nats-io/nats-server/v2)
  wanted "$nats_image" "$key" || return 0
  r=$(root nats)
  shell "$r"
  CGO_ENABLED=0 go build -trimpath -o "$r/usr/local/bin/nats-server" github.com/nats-io/nats-server/v2
  import "$r" "$nats_image" "$key" 'CMD ["nats-server"]'
}

make_redis() {
  local key r
  key=$(redis-server --version | grep -o 'v=[0-9.]*')
  wanted "$redis_image" "$key" || return 0
  r=$(root redis)
  shell "$r"
  program "$r" /usr/local/bin redis-server
  program "$r" /usr/local/bin redis-cli
  import "$r" "$redis_image" "$key" 'CMD ["redis-server"]'
}

# The toolchain carries the modules that go.sum names as a file proxy, so that
# `go mod download` in the real Dockerfile works without a network.
make_go() {
  local key r
  key=$(go env GOVERSION)-$(cat go.mod go.sum | sha256sum | cut -c1-12)
  wanted "$go_image" "$key" || return 0
  r=$(root go)
  shell "$r"
  mkdir -p "$r/usr/local/go" "$r/go-proxy"
  tar -C "$(go env GOROOT)" --exclude=testdata --anchored --exclude=./api --exclude=./doc --exclude=./test -c . |
    tar -C "$r/usr/local/go" -x
  GOMODCACHE=$work/modules GOFLAGS=-modcacherw \
    GOPROXY="file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)" go mod download
  mv "$work"/modules/cache/download/* "$r/go-proxy/"
  import "$r" "$go_image" "$key" 'ENV GOPATH=/go' 'ENV GOPROXY=file:///go-proxy' 'ENV GOTOOLCHAIN=local'
}

make_base() {
  wanted "$base_image" base || return 0
  import "$(root base)" "$base_image" base 'USER 65532'
}

if [ "${1:-}" = --remove ]; then
  for image in "$nats_image" "$redis_image" "$go_image" "$base_image"; do
    case $(label_of "$image") in '' | real) ;; *) docker image rm "$image" >/dev/null ;; esac
  done
  exit 0
fi
make_nats
make_redis
make_go
make_base
