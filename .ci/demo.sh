#!/usr/bin/env bash
# ./run demo: a core of a live process by corelift, and by gdb's gcore. Every figure is measured in this run; the pause
# is the one that the target saw, in its own clock.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=.ci/common.sh
source .ci/common.sh

need gdb:gdb gcc:gcc make:make setpriv:util-linux
publish
tracees all
[ "$(id -u)" = 0 ] || fail "the demo starts an agent with two capabilities of root's: run it as root"

folder=$(mktemp -d)
agent=
target=
cleanup() {
    [ -z "$target" ] || kill -KILL "$target" 2>/dev/null || true
    [ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' dim='' green='' red='' plain=''
fi

# await BOUND_S WHAT COMMAND ...
await() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "not within the time: $what. The agent said: $(cat "$folder/agent.log")"
        sleep 0.02
    done
}

# The target: it answers commands on a pipe; each answer is a line of its file.
mkfifo "$folder/commands"
artifacts/tracees/spinner --mib 256 --threads 8 <"$folder/commands" >"$folder/answers" &
target=$!
exec 9>"$folder/commands"
await 20 "target ready" grep -q '^READY' "$folder/answers"

answers() { wc -l <"$folder/answers"; }
one_more() { [ "$(answers)" -gt "$1" ]; }
ask() {
    local before
    before=$(answers)
    printf '%s\n' "$1" >&9
    await 20 "answer of the target" one_more "$before"
    tail -1 "$folder/answers"
}
# The largest gap between two looks at the clock, less the time for which that thread waited for a CPU.
gap_us() { ask gap | sed -E 's/.*stopped_us=([0-9]+).*/\1/'; }

# The agent: nobody, with two capabilities. Its folder and its copy of the program are all it needs.
mkdir "$folder/agent"
cp artifacts/bin/corelift-agent "$folder/agent/"
chown 65534:65534 "$folder/agent"
chmod 755 "$folder" "$folder/agent"
two=-all,+sys_ptrace,+sys_nice
export CORELIFT_AGENT=unix:$folder/agent/agent.sock
TMPDIR=$folder/agent XDG_RUNTIME_DIR=$folder/agent setpriv --reuid=65534 --regid=65534 --clear-groups \
    --inh-caps="$two" --ambient-caps="$two" --bounding-set="$two" \
    -- "$folder/agent/corelift-agent" --listen "$CORELIFT_AGENT" >"$folder/agent.log" 2>&1 9>&- &
agent=$!
serves() {
    kill -0 "$agent" 2>/dev/null || fail "the agent ended: $(cat "$folder/agent.log")"
    artifacts/bin/corelift ps >/dev/null 2>&1
}
await 20 "agent serving" serves

ask reset >/dev/null
artifacts/bin/corelift snapshot "$target" -o "$folder/corelift.core" --json >"$folder/report.json" || fail "the snapshot failed"
[ -s "$folder/corelift.core" ] || fail "corelift made no core"
ours=$(gap_us)

ask reset >/dev/null
start=$(date +%s%N)
gdb -nx -batch -iex 'set debuginfod enabled off' -p "$target" -ex "generate-core-file $folder/gcore.core" >"$folder/gcore.log" 2>&1 9>&-
gcore_ms=$((($(date +%s%N) - start) / 1000000))
theirs=$(gap_us)
[ -s "$folder/gcore.core" ] || fail "gcore made no core: $(cat "$folder/gcore.log")"

artifacts/bin/corelift verify "$folder/corelift.core" >"$folder/verify" || fail "verify: $(cat "$folder/verify")"
gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'set width 0' -ex 'thread apply all bt' artifacts/tracees/spinner \
    "$folder/corelift.core" >"$folder/threads" 2>/dev/null 9>&-
state=$(ask check)

number() { { grep -oE "\"$1\": *[0-9]+" "$folder/report.json" || fail "no $1 in the report"; } | grep -oE '[0-9]+$'; }
text() { grep -oE "\"$1\": *\"[^\"]*\"" "$folder/report.json" | sed -E 's/.*: *"(.*)"/\1/'; }
ms() { awk -v us="$1" 'BEGIN { printf us < 10000 ? "%.1f" : "%.0f", us / 1000 }'; }
mib() { awk -v b="$1" 'BEGIN { printf "%.0f", b / 1048576 }'; }
bar() { awk -v part="$1" -v whole="$2" 'BEGIN { n = int(40 * part / whole + 0.5); if (n < 1) n = 1; while (n--) printf "█" }'; }

# Nothing is shown that was not found; and the core has the threads that the report counts.
threads=$(number threads)
bytes=$(number bytes_captured)
elapsed_ms=$(number elapsed_ms)
pause_us=$(number pause_us)
[ "$(grep -c '^Thread ' "$folder/threads")" = "$threads" ] || fail "gdb does not see $threads threads: $(cat "$folder/threads")"
longest=$((theirs > ours ? theirs : ours))
cat <<TEXT

  ${bold}A core out of a running process${plain}

  target   spinner, pid $target: $threads threads, 256 MiB of its own memory
  agent    uid 65534, CAP_SYS_PTRACE and CAP_SYS_NICE, nothing else

  ${bold}corelift snapshot $target${plain}
           $(mib "$bytes") MiB of $threads threads in $elapsed_ms ms, strategy $(text strategy), reported pause $(ms "$pause_us") ms

  ${bold}How long the target stood still${plain}, by its own clock, waits for a CPU not counted
           corelift   $(printf '%8s' "$(ms "$ours")") ms  ${green}$(bar "$ours" "$longest")${plain}
           gdb gcore  $(printf '%8s' "$(ms "$theirs")") ms  ${red}$(bar "$theirs" "$longest")${plain}  ${dim}(whole run $gcore_ms ms)${plain}
           ${bold}$((theirs / (ours > 0 ? ours : 1))) times less${plain}

  ${bold}gdb opens the core${plain}
$(awk '/^Thread /{match($0, /LWP [0-9]+/); lwp = substr($0, RSTART + 4, RLENGTH - 4); frames[lwp] = ""; order[++n] = lwp}
      /^#/{name = $2 ~ /^0x/ ? $4 : $2; frames[lwp] = frames[lwp] (frames[lwp] == "" ? "" : " < ") name}
      END{for (i = n; i > 0; i--) printf "           thread %s  %s\n", order[i], frames[order[i]]}' "$folder/threads")

  ${bold}corelift verify${plain}
$(sed 's/^/           /' "$folder/verify" | head -12)

  The target, asked how it is: $state

  ${bold}Next${plain}
           artifacts/bin/corelift-agent --listen unix:/run/corelift.sock &
           export CORELIFT_AGENT=unix:/run/corelift.sock
           artifacts/bin/corelift ps
           artifacts/bin/corelift plan PID
           artifacts/bin/corelift snapshot PID -o app.core && gdb /path/to/app app.core

TEXT
case $state in OK*) ;; *) fail "the target was harmed" ;; esac
