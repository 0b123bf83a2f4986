#!/bin/sh
# Fetches data sets that are too large or too restricted for the repository into fetched/
# beside this file, which is not committed:
#
#	deployments/data/fetch.sh coupons
#
# A file comes from the folder in TRIBUTARY_DATASETS, or else from its public source. Its
# SHA-256 is checked. Running it again changes nothing.
set -eu

target=$(cd "$(dirname "$0")" && pwd)/fetched
mkdir -p "$target"

# of NAME prints the file, its SHA-256 and its source; "-" if it has no address of its own.
of() {
	case $1 in
	coupons) echo "coupons.csv.gz $coupons -" ;;
	*)
		echo "fetch.sh: $1: want one of: coupons" >&2
		return 1
		;;
	esac
}
coupons=3c4f676a57ec7bba9be40aaa7aef41e2059e80136ab052e311c230091f2d2c5d

sum() {
	if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

[ $# -gt 0 ] || { echo "usage: fetch.sh NAME ...: want one or more of: coupons" >&2; exit 2; }
for name; do
	# shellcheck disable=SC2046 # three words
	set -- $(of "$name")
	[ $# -eq 3 ] || exit 1
	file=$1 want=$2 url=$3
	if [ -f "$target/$file" ] && [ "$(sum "$target/$file")" = "$want" ]; then
		echo "$name: already in $target"
		continue
	fi
	part=$target/.$file.part
	if [ -n "${TRIBUTARY_DATASETS:-}" ]; then
		cp "$TRIBUTARY_DATASETS/$file" "$part"
	elif [ "$url" != - ]; then
		curl -fsSL -o "$part" "$url"
	else
		echo "$name: set TRIBUTARY_DATASETS to a folder with $file; README.md beside this script says how it is made" >&2
		exit 1
	fi
	got=$(sum "$part")
	if [ "$got" != "$want" ]; then
		rm -f "$part"
		echo "$name: $file has the SHA-256 $got, want $want" >&2
		exit 1
	fi
	mv "$part" "$target/$file" # the file appears complete
	echo "$name: in $target"
done
