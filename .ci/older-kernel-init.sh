#!/bin/busybox sh
# The first process of .ci/older-kernel.sh: the host's files, a layer in memory over them, and on with older-kernel-guest.sh there.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done </modules/order
$b mkdir -p /host /layer /root
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /host
$b mount -t tmpfs -o size=75% layer /layer
$b mkdir -p /layer/upper /layer/work
$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root
for name in proc sys dev; do $b mount --move "/$name" "/root/$name"; done
for name in tmp dev/shm run; do
    $b mkdir -p "/root/$name"
    $b mount -t tmpfs "$name" "/root/$name"
done
$b mkdir -p /root/dev/pts
$b mount -t devpts pts /root/dev/pts
$b mount -t cgroup2 cgroup /root/sys/fs/cgroup
$b ip link set lo up
$b chroot /root /bin/bash "$CORELIFT_FOLDER/.ci/older-kernel-guest.sh"
echo o >/root/proc/sysrq-trigger
$b sleep 60
