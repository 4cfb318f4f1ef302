#!/usr/bin/env bash
# Boots the kernel of Debian 12 (6.1: no PAGEMAP_SCAN and no asynchronous write protection, but soft-dirty bits) by software
# emulation, with this machine's files below a layer in memory, and runs the tests there that depend on what a kernel has.
# Prints their output; ./run test counts it. What is tested must have been built and published.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=.ci/common.sh
source .ci/common.sh

folder=artifacts/kernel

# Downloads a package without installing it, and unpacks it to artifacts/kernel/root.
unpack() {
    (cd "$folder" && { apt-get download -qq "$1" || { apt-get update -qq && apt-get download -qq "$1"; }; }) >/dev/null 2>&1 ||
        fail "apt has no package $1: add a mirror of Debian 12 to its sources"
    dpkg -x "$folder/$1"_*.deb "$folder/root"
    rm "$folder/$1"_*.deb
}

kernel_package() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9][0-9A-Za-z.+~-]*-amd64\)$/\1/p' | head -1 || true; }

prepare() {
    local package version module
    say "unpacking Debian's kernel"
    rm -rf "$folder"
    mkdir -p "$folder/root" "$folder/first/"{bin,proc,sys,dev,modules}
    package=$(kernel_package)
    [ -n "$package" ] || { apt-get update -qq && package=$(kernel_package); }
    [ -n "$package" ] || fail "apt has no package linux-image-amd64: add a mirror of Debian 12 to its sources"
    unpack "$package"
    unpack busybox-static
    version=${package#linux-image-}
    depmod -b "$PWD/$folder/root" "$version"
    for module in virtio_pci 9pnet_virtio 9p overlay; do
        modprobe -d "$PWD/$folder/root" -S "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
        cp "$module" "$folder/first/modules/"
        basename "$module" >>"$folder/first/modules/order"
    done
    cp "$folder/root/bin/busybox" "$folder/first/bin/"
    cp .ci/older-kernel-init.sh "$folder/first/init"
    chmod +x "$folder/first/init"
    (cd "$folder/first" && find . | cpio -o -H newc --quiet | gzip -1) >"$folder/initramfs"
    cp "$folder/root/boot/vmlinuz-$version" "$folder/vmlinuz"
    rm -rf "$folder/root" "$folder/first"
}

[ "$(uname -m)" = x86_64 ] || fail "the older kernel is one for x86-64"
need qemu-system-x86_64:qemu-system-x86 cpio:cpio depmod:kmod
[ "$folder/initramfs" -nt .ci/older-kernel-init.sh ] && [ -e "$folder/vmlinuz" ] || prepare

# TCG, not KVM: this may be a virtual machine itself. Files are shared read-only.
exec qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 4G -nographic -monitor none -nic none -no-reboot \
    -kernel "$folder/vmlinuz" -initrd "$folder/initramfs" -append "console=ttyS0 quiet loglevel=1 panic=-1 CORELIFT_FOLDER=$PWD" \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null
