#!/usr/bin/env bash
# ./run image [arm64]: builds the image for real, and runs it for real. See CONTRIBUTING.md, "The image".
# The base images of the Dockerfile are stood in for by local ones that debootstrap makes from the host's own mirror, so
# this needs no container registry. BASE=registry takes the real ones. With arm64 the image is cross-built, and its programs
# are started under qemu; they cannot be run further than that, since qemu's user mode has no ptrace.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=.ci/common.sh
source .ci/common.sh

[ "$(id -u)" = 0 ] || fail "containers with namespaces of their own need root"
need buildah:buildah runc:runc debootstrap:debootstrap jq:jq gdb:gdb gcc:gcc make:make /usr/include/stdio.h:libc6-dev setpriv:util-linux mount:mount systemd-analyze:systemd getcap:libcap2-bin
tracees

work=$PWD/artifacts/image
mkdir -p "$work/tmp"
export TMPDIR=$work/tmp
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
sdk=mcr.microsoft.com/dotnet/sdk:10.0
runtime=mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled

b() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

# The libraries that the chiseled image has, and its user; nothing else.
root_of_runtime() {
    rm -rf "$work/chiseled"
    mkdir -p "$work"/chiseled/{etc/ssl,usr/lib,lib64,tmp,proc,sys,dev}
    chmod 1777 "$work/chiseled/tmp"
    ln -s usr/lib "$work/chiseled/lib"
    (cd "$work/debian/usr/lib" && cp --parents -a \
        x86_64-linux-gnu/{ld-linux-x86-64.so.2,libc.so.6,libm.so.6,libdl.so.2,libpthread.so.0,librt.so.1,libresolv.so.2} \
        x86_64-linux-gnu/{libnss_files.so.2,libnss_dns.so.2,libgcc_s.so.1} x86_64-linux-gnu/lib{stdc++,ssl,crypto,z}.so.[0-9]* "$work/chiseled/usr/lib/")
    ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$work/chiseled/lib64/"
    cp -aL "$work/debian/etc/ssl/certs" "$work/chiseled/etc/ssl/"
    printf 'root:x:0:0:root:/root:/sbin/nologin\napp:x:1654:1654::/home/app:/sbin/nologin\n' >"$work/chiseled/etc/passwd"
    printf 'root:x:0:\napp:x:1654:\n' >"$work/chiseled/etc/group"
}

# from_root FOLDER NAME [CONFIG ...]
from_root() {
    local folder=$1 name=$2 container
    shift 2
    container=$(b from scratch)
    b add -q "$container" "$folder" / >/dev/null
    [ $# -eq 0 ] || b config "$@" "$container"
    b commit -q --rm "$container" "$name" >/dev/null
}

mounts=()
pull=--pull-never
base_images() {
    local path
    if [ "${BASE:-}" = registry ]; then
        pull=--pull
        return 0
    fi
    debian_root
    if ! b inspect --type image "$sdk" >/dev/null 2>&1; then
        say "local stand-ins for the base images"
        from_root "$work/debian" "$sdk" --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        root_of_runtime
        from_root "$work/chiseled" "$runtime" --user 1654
    fi
    # The SDK of this machine, what it has of NuGet's packages already, and the authorities that it trusts.
    for path in /usr/local/share/ca-certificates /usr/share/ca-certificates /etc/ssl/certs; do
        [ ! -d "$path" ] || mounts+=(-v "$path:$path:ro")
    done
    mkdir -p "$HOME/.nuget/packages"
    mounts+=(-v "$(dirname "$(readlink -f "$(command -v dotnet)")"):/usr/share/dotnet:ro" -v "$HOME/.nuget/packages:/root/.nuget/packages")
}

bud() {
    b bud --isolation chroot "$pull" "${mounts[@]}" --build-arg "BUILDPLATFORM=linux/$(dpkg --print-architecture)" --build-arg "VERSION=$version" \
        --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
        --format oci "$@" . >"$work/bud.log" 2>&1 || fail "buildah bud: $(tail -20 "$work/bud.log")"
}

build_image() {
    say "buildah bud (two minutes)"
    bud -t "corelift:$version"
}

# Cross-built: the linker comes from the build image's own mirror, the libraries of the stand-in from the host's.
build_arm64() {
    local libraries=/usr/aarch64-linux-gnu/lib base=localhost/corelift/runtime-arm64:dev container root=$work/arm64
    need qemu-aarch64-static:qemu-user-static "$libraries/libc.so.6:libc6-arm64-cross" "$libraries/libgcc_s.so.1:libgcc-s1-arm64-cross"
    rm -rf "$root"
    mkdir -p "$root/lib" "$root/etc" "$root/tmp"
    cp -a "$libraries"/* "$root/lib/"
    container=$(b from scratch)
    b add -q "$container" "$root" / >/dev/null
    b config --arch arm64 --os linux --user 1654 "$container"
    b commit -q --rm "$container" "$base" >/dev/null
    say "buildah bud for arm64 (four minutes)"
    bud --platform linux/arm64 --build-arg TARGETARCH=arm64 --build-arg "RUNTIME_IMAGE=$base" \
        -t "corelift:$version-arm64"
    [ "$(b inspect --type image "corelift:$version-arm64" | jq -r .OCIv1.architecture)" = arm64 ] || fail "the image is not one of arm64"
    container=$(b from --pull-never "corelift:$version-arm64")
    root=$(b mount "$container")
    [ "$(qemu-aarch64-static -L "$root" "$root/usr/bin/corelift" --version)" = "$version" ] || fail "corelift does not start on arm64"
    status=0
    qemu-aarch64-static -L "$root" "$root/usr/bin/corelift-agent" >"$work/arm64.log" 2>&1 || status=$?
    { [ "$status" = 78 ] && grep -q 'x86-64 only' "$work/arm64.log"; } || fail "the agent on arm64 ended with $status: $(cat "$work/arm64.log")"
    b rm "$container" >/dev/null
    echo "image: 3 checks passed, for arm64: corelift starts, and the agent says that it knows x86-64 only"
}

if [ "${1:-}" = arm64 ]; then
    base_images
    build_arm64
    exit 0
fi
started=$SECONDS
base_images
build_image
say "the image took $((SECONDS - started)) s"
rm -rf "$work/rootfs" "$work/image.oci.tar"
container=$(b from --pull-never "corelift:$version")
cp -a "$(b mount "$container")" "$work/rootfs"
b rm "$container" >/dev/null
b push -q "corelift:$version" "oci-archive:$work/image.oci.tar:corelift:$version"
cp "$work/rootfs/usr/share/doc/corelift/sbom.cdx.json" artifacts/corelift-image.cdx.json
b inspect --type image "corelift:$version" | jq '{config: .OCIv1.config, architecture: .OCIv1.architecture}' >"$work/config.json"
exec .ci/image-run.sh "$@"
