#!/bin/sh
# tools.sh ARCHITECTURE: the linker that ahead-of-time compilation needs, where the build image lacks it.
set -eu

install() {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
    rm -rf /var/lib/apt/lists/*
}

own=$(dpkg --print-architecture)
if [ "$1" = "$own" ]; then
    if ! command -v gcc >/dev/null || [ ! -e /usr/include/stdio.h ] || [ ! -e /usr/include/zlib.h ]; then
        install gcc libc6-dev zlib1g-dev
    fi
elif [ "$1" = arm64 ]; then
    install clang lld gcc-aarch64-linux-gnu libc6-dev-arm64-cross
else
    echo "cannot compile for $1 on $own: build on that machine" >&2
    exit 1
fi
