#!/usr/bin/env bash
# Runs the image that .ci/image.sh built under runc: beside a second container in one pid namespace, and as a host's agent
# for a container with pid, mount and user namespaces of its own, each as the two containers of the chart: two capabilities
# for the part that traces, none for the other, a read-only root, no-new-privileges and the chart's seccomp profile; and as
# one command with the filter of the systemd unit. Prints the figures; its last line is "image: N checks passed".
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=.ci/common.sh
source .ci/common.sh

work=$PWD/artifacts/image
scratch=$(mktemp -d)
profile=$PWD/helm/corelift/profiles/seccomp.json
two='["CAP_SYS_PTRACE","CAP_SYS_NICE"]'
mark=corelift-image-$$
names=()
checks=0

r() { runc --root "$scratch/runc" "$@"; }

cleanup() {
    local name group
    exec 7>&- 2>/dev/null || true
    for name in "${names[@]}"; do r delete --force "$name" >/dev/null 2>&1 || true; done
    for group in /sys/fs/cgroup/*/"$mark" /sys/fs/cgroup/"$mark"; do rmdir "$group" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

ok() {
    checks=$((checks + 1))
    printf '   ok  %s\n' "$*"
}

# expect WHAT ACTUAL EXPECTED
expect() { if [ "$2" = "$3" ]; then ok "$1: $2"; else fail "$1: expected '$3', found '$2'"; fi; }

# container NAME ROOT JQ_FILTER [JQ_ARGUMENT ...]: makes a bundle and creates the container, its output in NAME.log.
container() {
    local name=$1 root=$2 filter=$3
    shift 3
    mkdir -p "$scratch/$name"
    runc spec -b "$scratch/$name"
    # As a kubelet would: no terminal, own mounts, nothing gained by exec. The cgroup's limits are not what is tested.
    jq --arg root "$root" --arg group "/$mark/$name" --argjson two "$two" --slurpfile seccomp "$profile" "$@" "
        .root = {path: \$root, readonly: true} | .process.terminal = false | .process.noNewPrivileges = true | .process.rlimits = []
        | .process.capabilities = {bounding: [], effective: [], permitted: [], inheritable: [], ambient: []}
        | del(.linux.resources) | .linux.cgroupsPath = \$group | .mounts |= map(select(.type != \"cgroup\"))
        | def bind(\$from; \$to; \$mode): .mounts += [{destination: \$to, type: \"bind\", source: \$from, options: [\"bind\", \$mode]}];
          def namespace(\$type; \$path): .linux.namespaces |= map(select(.type != \$type)) | .linux.namespaces += [{type: \$type} + (if \$path == \"\" then {} else {path: \$path} end)];
          def shared(\$type): .linux.namespaces |= map(select(.type != \$type));
          $filter" "$scratch/$name/config.json" >"$scratch/$name/new.json"
    mv "$scratch/$name/new.json" "$scratch/$name/config.json"
    names+=("$mark-$name")
}

# begin NAME: creates and starts it, in the background.
begin() { r run -d -b "$scratch/$1" "$mark-$1" >"$scratch/$1.log" 2>&1 </dev/null || fail "runc run $1: $(cat "$scratch/$1.log")"; }

pid_of() { r state "$mark-$1" | jq .pid; }

status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# within SECONDS WHAT COMMAND ...
within() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "not within the time: $what; logs: $(tail -n 20 "$scratch"/*.log)"
        sleep 0.05
    done
}

# target NAME FILTER: a program that knows whether it was harmed, as uid 1000 of its container. It answers on fd 7.
target() {
    local name=$1
    mkfifo "$scratch/$name.in"
    container "$name" "$work/debian" "bind(\$tracees; \"/mnt\"; \"ro\") | .process.args = [\"/mnt/canary\", \"--threads\", \"3\"] | .process.user = {uid: 1000, gid: 1000} | $2" \
        --arg tracees "$PWD/artifacts/tracees"
    r run -d -b "$scratch/$name" "$mark-$name" >"$scratch/$name.log" 2>&1 <>"$scratch/$name.in" || fail "runc run $name: $(cat "$scratch/$name.log")"
    exec 7>"$scratch/$name.in"
    within 20 "target ready" grep -q '^READY' "$scratch/$name.log"
}

unharmed() {
    local lines
    lines=$(wc -l <"$scratch/$1.log")
    echo check >&7
    within 20 "answer of the target" test "$(wc -l <"$scratch/$1.log")" -ge "$lines"
    within 20 "answer of the target" sh -c "[ \$(wc -l <'$scratch/$1.log') -gt $lines ]"
    case $(tail -1 "$scratch/$1.log") in OK*) ;; *) fail "the target was harmed: $(tail -1 "$scratch/$1.log")" ;; esac
}

serves() { r exec "$mark-$1" /usr/bin/corelift ps; }

# agent NAME FILTER: the two containers that the chart makes of the image, and how long they take to serve.
agent() {
    local name=$1 began line
    # As fsGroup makes an emptyDir.
    install -d -m 2777 -g 1654 "$scratch/$name-run"
    install -d -m 777 "$scratch/out"
    container "$name-supervisor" "$work/rootfs" "
        .process.args = [\"/usr/bin/corelift-agent\", \"supervisor\", \"--listen=unix:/run/corelift/supervisor.sock\", \"--front-end-uid=1654\"]
        | .process.user = {uid: 0, gid: 0, additionalGids: [1654]} | .process.capabilities |= (.bounding = \$two | .effective = \$two | .permitted = \$two)
        | .linux.seccomp = \$seccomp[0] | bind(\$run; \"/run/corelift\"; \"rw\") | $2" --arg run "$scratch/$name-run"
    container "$name" "$work/rootfs" "
        .process.args = [\"/usr/bin/corelift-agent\", \"serve\", \"--supervisor=unix:/run/corelift/supervisor.sock\", \"--listen=unix:/run/corelift/agent.sock\"]
        | .process.user = {uid: 1654, gid: 1654} | .linux.seccomp = \$seccomp[0]
        | bind(\$run; \"/run/corelift\"; \"rw\") | bind(\$out; \"/out\"; \"rw\") | $2" --arg run "$scratch/$name-run" --arg out "$scratch/out"
    for part in "$name-supervisor" "$name"; do
        r create -b "$scratch/$part" "$mark-$part" >"$scratch/$part.log" 2>&1 </dev/null || fail "runc create: $(cat "$scratch/$part.log")"
    done
    began=$(date +%s%N)
    r start "$mark-$name-supervisor"
    r start "$mark-$name"
    within 20 "agent serving" serves "$name"
    line=$(grep -m1 ' serves on ' "$scratch/$name.log") || fail "the agent said: $(cat "$scratch/$name.log")"
    cold_ms=$((($(date -d "${line%% *}" +%s%N) - began) / 1000000))
}

# lifts NAME TARGET PID: a core by each strategy, opened with gdb; the target is asked after each.
lifts() {
    local name=$1 of=$2 pid=$3 strategy core
    for strategy in direct fork precopy auto; do
        core=$scratch/out/$name-$strategy.core
        r exec "$mark-$name" /usr/bin/corelift snapshot "$pid" -o "/out/$name-$strategy.core" --strategy "$strategy" --json \
            >"$scratch/report.json" 2>"$scratch/report.err" || fail "$name, $strategy: $(cat "$scratch/report.err") $(tail -5 "$scratch/$name.log")"
        # libthread_db would ask for the threads by their ids in the target's own pid namespace; the core has the host's.
        gdb -nx -batch -iex 'set debuginfod enabled off' -iex 'set libthread-db-search-path /none' -iex "set sysroot $work/debian" -ex 'thread apply all bt' artifacts/tracees/canary "$core" \
            >"$scratch/threads" 2>"$scratch/gdb.err"
        [ "$(grep -c '^Thread ' "$scratch/threads")" = 4 ] && grep -q ' main (' "$scratch/threads" ||
            fail "$name, $strategy: gdb sees $(cat "$scratch/threads" "$scratch/gdb.err")"
        unharmed "$of"
        ok "$name, strategy $strategy: gdb sees 4 threads and main; pause $(jq .pause_us "$scratch/report.json") us, $(jq -r .strategy "$scratch/report.json")"
        rm -f "$core"
    done
}

# confined NAME CAPABILITIES
confined() {
    local pid
    pid=$(pid_of "$1")
    expect "$1, capabilities" "$(status_of "$pid" CapEff) $(status_of "$pid" CapPrm) $(status_of "$pid" CapBnd)" "$2 $2 $2"
    expect "$1, no-new-privileges and seccomp filter" "$(status_of "$pid" NoNewPrivs) $(status_of "$pid" Seccomp)" "1 2"
}

# Capabilities 19 and 23, and none.
both=0000000000880000
none=0000000000000000

# The calls that the unit of systemd allows, in the form that runc reads.
unit_profile() {
    local line word names=" "
    while read -r line; do
        for word in ${line#\~}; do
            for word in $(calls_of "$word"); do
                if [ "${line#\~}" = "$line" ]; then names+="$word "; else names=${names// $word / }; fi
            done
        done
    done < <(sed -n 's/^SystemCallFilter=//p' packaging/corelift-agent.service)
    jq -n --arg names "$names" '{defaultAction: "SCMP_ACT_ERRNO", architectures: ["SCMP_ARCH_X86_64"],
        syscalls: [{names: ($names | split(" ") | map(select(. != "")) | unique), action: "SCMP_ACT_ALLOW"}]}'
}

# calls_of NAME: a group of systemd's as its system calls.
calls_of() {
    local word
    case $1 in
        @*) for word in $(systemd-analyze syscall-filter "$1" | sed -e 1d -e 's/#.*//'); do calls_of "$word"; done ;;
        *) echo "$1" ;;
    esac
}

kb() { status_of "$1" "$2" | tr -dc 0-9; }

say "the image itself"
expect "user" "$(jq -r .config.User "$work/config.json")" 1654:1654
expect "entry point" "$(jq -c .config.Entrypoint "$work/config.json")" '["/usr/bin/corelift-agent"]'
for label in title version revision created licenses base.name; do
    [ -n "$(jq -r ".config.Labels[\"org.opencontainers.image.$label\"] // empty" "$work/config.json")" ] || fail "no label $label"
done
ok "labels of OCI"
expect "shells and package managers" "$(find "$work/rootfs" \( -name sh -o -name bash -o -name busybox -o -name apt -o -name dpkg \) | wc -l)" 0
expect "files with capabilities or set-id bits" "$( (getcap -r "$work/rootfs" 2>/dev/null; find "$work/rootfs" -perm /6000) | wc -l)" 0
jq -e '[.components[] | select(.scope == "required" and .type == "library" and .hashes[0].alg == "SHA-512")] | length > 10' artifacts/corelift-image.cdx.json >/dev/null || fail "the bill of materials is empty"
ok "bill of materials: $(jq '.components | length' artifacts/corelift-image.cdx.json) components"

say "as it is: without capabilities it says what it needs"
container bare "$work/rootfs" '.process.args = ["/usr/bin/corelift-agent"] | .process.user = {uid: 1654, gid: 1654}'
status=0
r run -b "$scratch/bare" "$mark-bare" >"$scratch/bare.log" 2>&1 </dev/null || status=$?
expect "exit code" "$status" 78
grep -q 'CAP_SYS_PTRACE' "$scratch/bare.log" || fail "it said: $(cat "$scratch/bare.log")"

say "beside a second container, in one pid namespace"
target workload 'namespace("pid"; "")'
shared=/proc/$(pid_of workload)/ns/pid
agent sidecar "namespace(\"pid\"; \"$shared\")"
confined sidecar-supervisor "$both"
confined sidecar "$none"
lifts sidecar workload "$(status_of "$(pid_of workload)" NSpid | awk '{print $NF}')"
r delete --force "$mark-sidecar"
r delete --force "$mark-sidecar-supervisor"
exec 7>&-

say "as the host's agent, of a container with pid, mount and user namespaces of its own"
target guest 'namespace("user"; "") | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings | .mounts |= map(select(.type != "sysfs"))'
expect "its uid here" "$(status_of "$(pid_of guest)" Uid | awk '{print $1}')" 101000
agent host 'shared("pid")'
confined host-supervisor "$both"
confined host "$none"
sleep 1
size=$(du -sb "$work/rootfs" | cut -f1)
packed=$(stat -c %s "$work/image.oci.tar")
supervisor=$(kb "$(pid_of host-supervisor)" VmRSS)
front=$(kb "$(pid_of host)" VmRSS)
[ $((supervisor + front)) -le $((80 * 1024)) ] || fail "resident at idle: $supervisor and $front KiB, more than 80 MiB"
lifts host guest "$(pid_of guest)"

say "as a plain host's unit: one command, its user, ambient capabilities, the unit's own filter"
unit_profile >"$scratch/unit.json"
mkdir -p "$scratch/plain-run" "$scratch/out"
chown 1654:1654 "$scratch/plain-run"
container plain "$work/rootfs" '.process.args = ["/usr/bin/corelift-agent", "serve", "--listen=unix:/run/corelift/agent.sock"]
    | .process.user = {uid: 1654, gid: 1654} | .process.capabilities |= (.bounding = $two | .effective = $two | .permitted = $two | .inheritable = $two | .ambient = $two)
    | .linux.seccomp = $unit[0] | bind($run; "/run/corelift"; "rw") | bind($out; "/out"; "rw") | shared("pid")' \
    --slurpfile unit "$scratch/unit.json" --arg run "$scratch/plain-run" --arg out "$scratch/out"
begin plain
within 20 "agent serving" serves plain
lifts plain guest "$(pid_of guest)"

say "what the profile refuses"
container refused "$work/debian" '.process.args = ["/bin/sh", "-c", "unshare --mount true; mount -t tmpfs none /mnt; unshare --user true"] | .linux.seccomp = $seccomp[0]
    | ["CAP_SYS_ADMIN"] as $all | .process.capabilities |= (.bounding = $all | .effective = $all | .permitted = $all) | .process.user = {uid: 0, gid: 0}'
r run -b "$scratch/refused" "$mark-refused" >"$scratch/refused.log" 2>&1 </dev/null || true
expect "namespaces and mounts, even with CAP_SYS_ADMIN" "$(grep -cE 'Operation not permitted|permission denied' "$scratch/refused.log")" 3

cat <<TEXT

  image, unpacked       $((size / 1024)) KiB
  image, as an archive  $((packed / 1024)) KiB
  cold start            $cold_ms ms from runc start to serving
  resident, idle        $((supervisor + front)) KiB: supervisor $supervisor, front end $front

TEXT
echo "image: $checks checks passed"
