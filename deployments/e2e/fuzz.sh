#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after the other; stops
# at the first that finds something, which go keeps in its testdata folder.
#
#   fuzz.sh DURATION|COUNTx        as -fuzztime: 30s, 2000x
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly fuzztime=${1:?usage: fuzz.sh DURATION|COUNTx}
targets=0
while IFS=: read -r file target; do
  echo "fuzz: $target in $(dirname "$file")"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 5s "./$(dirname "$file")" </dev/null
  targets=$((targets + 1))
done < <(git grep -oE '^func Fuzz[A-Za-z0-9_]*' -- '*_test.go' | sed 's/:func /:/')
if [ "$targets" = 0 ]; then
  echo "fuzz: no target found" >&2
  exit 1
fi
echo "fuzz: $targets targets"
