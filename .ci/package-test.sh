#!/usr/bin/env bash
# Installs the packages of ./run package in a Debian root of their own, runs what they installed, and removes them again.
# Its last line is "package: N checks passed".
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=.ci/common.sh
source .ci/common.sh

[ "$(id -u)" = 0 ] || fail "installing packages needs root"
need debootstrap:debootstrap mount:mount setpriv:util-linux gdb:gdb systemd-analyze:systemd gcc:gcc make:make /usr/include/stdio.h:libc6-dev
debian_root
tracees
scratch=$(mktemp -d)
root=$scratch/root
agent=
target=
checks=0

cleanup() {
    [ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null || true
    [ -z "$target" ] || kill -KILL "$target" 2>/dev/null || true
    wait 2>/dev/null || true
    umount "$root/proc" 2>/dev/null || true
    umount "$root" "$scratch" 2>/dev/null || true
    rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

ok() {
    checks=$((checks + 1))
    printf '   ok  %s\n' "$*"
}

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }

# The Debian root stays as it is: what is installed goes to a layer in memory.
mount -t tmpfs tmpfs "$scratch"
mkdir -p "$scratch/upper" "$scratch/work" "$root"
mount -t overlay overlay -o "lowerdir=$PWD/artifacts/image/debian,upperdir=$scratch/upper,workdir=$scratch/work" "$root"
mount -t proc proc "$root/proc"
cp artifacts/packages/*.deb "$root/tmp/"

say "install"
inside sh -c 'dpkg -i /tmp/*.deb' >"$scratch/dpkg.log" 2>&1 || fail "dpkg: $(cat "$scratch/dpkg.log")"
inside dpkg --verify corelift corelift-agent
[ "$(inside dpkg-query -W -f '${db:Status-Status} ' corelift corelift-agent)" = "installed installed " ] || fail "not installed: $(cat "$scratch/dpkg.log")"
ok "installed, and the files are those of the packages"
inside id corelift | grep -q '(corelift).*(corelift)' || fail "no user corelift: $(inside id corelift)"
uid=$(inside id -u corelift)
gid=$(inside id -g corelift)
[ "$uid" -lt 1000 ] || fail "uid $uid is no system user's"
ok "system user and group corelift: $uid, $gid"
grep -q "^$(inside dpkg-query -W -f '${Conffiles}' corelift-agent | awk '{print $1}' | head -1)" <<<"/etc/corelift/agent.json" || fail "no conffile"
ok "its settings are a conffile"
version=$(inside corelift --version)
case $(inside dpkg-query -W -f '${Version}' corelift) in "${version%%+*}"-*) ok "corelift --version is that of the package: $version" ;; *) fail "corelift --version says $version" ;; esac
inside bash -c 'source /usr/share/bash-completion/completions/corelift && complete -p corelift' >/dev/null || fail "the completion does not load"
ok "completion for bash"

say "the unit"
sed "s| /usr/bin/| $root/usr/bin/|; s|=/usr/bin/|=$root/usr/bin/|" "$root/lib/systemd/system/corelift-agent.service" >"$scratch/corelift-agent.service"
systemd-analyze verify --man=no "$scratch/corelift-agent.service" >"$scratch/verify" 2>&1 || fail "systemd-analyze verify: $(cat "$scratch/verify")"
[ ! -s "$scratch/verify" ] || fail "systemd-analyze verify: $(cat "$scratch/verify")"
ok "systemd-analyze verify has nothing to say"
systemd-analyze security --no-pager --offline=yes --threshold=30 "$scratch/corelift-agent.service" >"$scratch/security" 2>&1 ||
    fail "systemd-analyze security: $(tail -2 "$scratch/security")"
ok "systemd-analyze security: $(grep -oE 'level for .*: [0-9.]+' "$scratch/security" | grep -oE '[0-9.]+$') of 10, at most 3"

inside corelift-agent config show --config /etc/corelift/agent.json | grep -q '"socket-group": *"corelift"' || fail "the settings do not hold: $(inside corelift-agent config show --config /etc/corelift/agent.json)"
ok "the conffile's settings hold"
inside corelift-agent policy check /usr/share/doc/corelift-agent/examples/policy.json >"$scratch/policy" 2>&1 || fail "the example of a policy: $(cat "$scratch/policy")"
ok "the example of a policy is a right one"

say "the installed program, with the unit's user and capabilities"
mkfifo "$scratch/in"
artifacts/tracees/canary --threads 3 <>"$scratch/in" >"$scratch/target.log" &
target=$!
install -d -o "$uid" -g "$gid" -m 750 "$root/run/corelift"
install -d -o "$uid" -g "$gid" -m 700 "$root/var/lib/corelift"
two=-all,+sys_ptrace,+sys_nice
command=$(sed -n 's/^ExecStart=//p' "$root/lib/systemd/system/corelift-agent.service")
# shellcheck disable=SC2086 # the words of ExecStart
chroot "$root" setpriv --reuid "$uid" --regid "$gid" --init-groups --no-new-privs --inh-caps "$two" --ambient-caps "$two" --bounding-set "$two" \
    env -i RUNTIME_DIRECTORY=/run/corelift STATE_DIRECTORY=/var/lib/corelift $command >"$scratch/agent.log" 2>&1 &
agent=$!
end=$((SECONDS + 20))
until inside corelift ps >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || fail "it does not serve: $(cat "$scratch/agent.log")"
    sleep 0.1
done
[ "$(stat -c '%a %g' "$root/run/corelift/agent.sock")" = "660 $gid" ] || fail "the socket is $(stat -c '%a %g' "$root/run/corelift/agent.sock")"
ok "serves, for its group alone"
chroot "$root" setpriv --reuid 1234 --regid 1234 --clear-groups corelift ps >/dev/null 2>"$scratch/refused" && fail "a user outside the group was served"
ok "refuses who is not in the group"
chroot "$root" setpriv --reuid 1234 --regid 1234 --groups "$gid" corelift snapshot "$target" -o /tmp/member.core >"$scratch/member" 2>&1 || fail "a member of the group: $(cat "$scratch/member" "$scratch/agent.log")"
inside corelift verify /tmp/member.core >/dev/null
[ "$(gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'info threads' artifacts/tracees/canary "$root/tmp/member.core" 2>/dev/null | grep -c 'LWP')" -ge 4 ] || fail "gdb does not open the core"
ok "a member of the group takes a snapshot, gdb opens it"
kill -TERM "$agent"
wait "$agent" || fail "the agent ended with $?: $(cat "$scratch/agent.log")"
agent=
ok "SIGTERM ends it with 0"

say "remove and purge"
inside dpkg -r corelift-agent corelift >"$scratch/dpkg.log" 2>&1 || fail "dpkg -r: $(cat "$scratch/dpkg.log")"
[ -e "$root/etc/corelift/agent.json" ] && [ ! -e "$root/usr/bin/corelift-agent" ] || fail "remove left the wrong things"
inside dpkg -P corelift-agent >"$scratch/dpkg.log" 2>&1 || fail "dpkg -P: $(cat "$scratch/dpkg.log")"
for path in etc/corelift/agent.json lib/systemd/system/corelift-agent.service var/lib/corelift usr/share/doc/corelift-agent; do
    [ ! -e "$root/$path" ] || fail "purge left /$path"
done
ok "removed; settings and state go with purge"
echo "package: $checks checks passed"
