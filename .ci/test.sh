#!/usr/bin/env bash
# ./run test [NAME [ARGUMENT ...]]: see ./run help. The last line is "N passed, N failed" over all projects.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=.ci/common.sh
source .ci/common.sh

only=${1:-}
[ $# -eq 0 ] || shift
limit=$((SECONDS + 45 * 60)) # half an hour is the aim; a slow machine is no failed test
results=artifacts/test-results
passed=0
failed=0
child=

# Ctrl-C and a failing step leave no test process behind: each project runs as a process group of its own.
stop() { [ -z "$child" ] || kill -- "-$child" 2>/dev/null || true; }
trap end_compiler EXIT
trap 'exit 130' INT TERM

need git:git gcc:gcc make:make gdb:gdb lldb:lldb age:age eu-readelf:elfutils dlv:delve go:golang-go javac:openjdk-17-jdk-headless jhsdb:openjdk-17-jdk-headless \
    setpriv:util-linux mount:mount npm:npm ps:procps script:bsdutils apparmor_parser:apparmor

say "building everything, warnings as errors"
dotnet restore Agent.sln -v quiet
compiled dotnet build Agent.sln -c Release --no-restore -v quiet -warnaserror
say "the wire contract: lint, and whether it breaks older clients"
buf lint
buf breaking --against corelift.binpb
helm_tools
say "building the tracees"
tracees all go java
dotnet build tests/tracees/dotnet/ManagedTarget -c Release -v quiet -o artifacts/tracees/managed
publish
end_compiler # again: publish may have found nothing to do
trap stop EXIT

# Counts of one project's closing line: "Passed!  - Failed:     0, Passed:     4, Skipped: ..."; a project that ran
# no test, crashed or was cut off counts as one failure.
count() {
    local name=$1 log=$2 status=$3 line p=0 f=0
    line=$(grep -E '(Passed|Failed)! +- Failed: ' "$log" | tail -1 || true)
    if [ -n "$line" ]; then
        f=$(sed -E 's/.*Failed: +([0-9]+),.*/\1/' <<<"$line")
        p=$(sed -E 's/.*Passed: +([0-9]+),.*/\1/' <<<"$line")
    fi
    if [ "$((p + f))" = 0 ]; then
        say "$name executed no test"
        f=1
    elif [ "$status" != 0 ] && [ "$f" = 0 ]; then
        say "$name ended with status $status"
        f=1
    fi
    passed=$((passed + p))
    failed=$((failed + f))
}

rm -rf "$results"
mkdir -p "$results"
projects=()
for project in tests/*.Tests; do
    [[ $project != *"$only"* ]] || projects+=("$project")
done
older_kernel=
[ "$(uname -m)" != x86_64 ] || [[ older-kernel != *"$only"* ]] || older_kernel=yes
[ -n "$older_kernel" ] || [ ${#projects[@]} -gt 0 ] || fail "no test project has '$only' in its name"

for project in "${projects[@]}"; do
    name=$(basename "$project")
    remaining=$((limit - SECONDS))
    if [ "$remaining" -le 0 ]; then
        say "$name: no time left"
        failed=$((failed + 1))
        continue
    fi
    say "$name"
    status=0
    setsid timeout --kill-after=20 "$remaining" dotnet test "$project" -c Release --no-build --logger "trx;LogFileName=$name.trx" \
        --results-directory "$results" "$@" >"$results/$name.log" 2>&1 </dev/null &
    child=$!
    wait "$child" || status=$?
    stop
    child=
    grep -vE '^(Test run for|A total of|Results File:|$)' "$results/$name.log" || true
    count "$name" "$results/$name.log" "$status"
done

# What depends on the kernel, on an older one: there nothing may be skipped.
if [ -n "$older_kernel" ]; then
    say "older-kernel"
    log=$results/older-kernel.log
    status=0
    setsid timeout --kill-after=20 "$((limit > SECONDS ? limit - SECONDS : 1))" .ci/older-kernel.sh </dev/null >"$log.raw" 2>&1 &
    child=$!
    wait "$child" || status=$?
    stop
    child=
    tr -d '\r' <"$log.raw" >"$log"
    sed -n '/^== Corelift/,$p' "$log" | grep -vE '^(Test run for|A total of|Results File:|$)' || tail -20 "$log"
    if ! grep -q '^== end$' "$log" || grep -qE '! +- Failed: .*Skipped: +[1-9]' "$log" ||
        [ "$(grep -c '^== Corelift' "$log")" != "$(grep -c '^tests Corelift' .ci/older-kernel-guest.sh)" ]; then
        say "older-kernel skipped tests, or did not come to its end"
        failed=$((failed + 1))
    fi
    while read -r name; do
        sed -n "/^== $name\$/,/^== /p" "$log" >"$results/older-kernel.$name.log"
        count "$name on an older kernel" "$results/older-kernel.$name.log" "$status"
    done < <(sed -n 's/^== \(Corelift.*\)$/\1/p' "$log")
fi

trap - EXIT
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
