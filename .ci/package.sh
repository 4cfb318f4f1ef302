#!/usr/bin/env bash
# ./run package: Debian packages of agent and client from artifacts/bin, to artifacts/packages, and lintian's word on them.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=.ci/common.sh
source .ci/common.sh

need dpkg-deb:dpkg lintian:lintian objdump:binutils gzip:gzip
publish
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)-1
architecture=$(dpkg --print-architecture)
out=artifacts/packages
stage=artifacts/package-stage
rm -rf "$stage" "$out"
mkdir -p "$out"
dotnet run packaging/sbom.cs -- --root . --rid "$(rid)" --output artifacts/corelift.cdx.json >/dev/null
# The same sources give the same package: all files are of the time of the last commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# stage FOLDER PACKAGE PROGRAM: what both packages have.
stage() {
    local source=packaging/debian/$1 tree=$stage/$2 doc=$stage/$2/usr/share/doc/$2 glibc
    install -D -m 755 "artifacts/bin/$3" "$tree/usr/bin/$3"
    install -D -m 644 packaging/debian/copyright "$doc/copyright"
    install -m 644 README.md SECURITY.md artifacts/corelift.cdx.json "$doc/"
    mv "$doc/corelift.cdx.json" "$doc/sbom.cdx.json"
    printf '%s (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- The Corelift authors <noreply@corelift.dev>  %s\n' \
        "$2" "$version" "${version%-*}" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.Debian.gz"
    install -D -m 644 "$source/lintian-overrides" "$tree/usr/share/lintian/overrides/$2"
    # The newest version of the C library that a symbol of it is bound to.
    glibc=$(objdump -T "artifacts/bin/$3" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -1)
    mkdir "$tree/DEBIAN"
    sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@GLIBC@/${glibc#GLIBC_}/" "$source/control.in" >"$tree/DEBIAN/control"
}

# pack PACKAGE: the installed size, the digests, the file.
pack() {
    local tree=$stage/$1
    (cd "$tree" && find . -type f -not -path "./DEBIAN/*" -not -path "./etc/*" -printf "%P\0" | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    printf 'Installed-Size: %s\n' "$(du -sk --exclude DEBIAN "$tree" | cut -f1)" >"$stage/size"
    sed -i "/^Maintainer:/r $stage/size" "$tree/DEBIAN/control"
    find "$tree" -type d -exec chmod 755 {} +
    find "$tree" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
    dpkg-deb --root-owner-group -Zxz --build "$tree" "$out/$1_${version}_$architecture.deb" >/dev/null
}

stage agent corelift-agent corelift-agent
tree=$stage/corelift-agent
install -D -m 644 packaging/corelift-agent.service "$tree/lib/systemd/system/corelift-agent.service"
install -D -m 644 packaging/debian/agent/agent.json "$tree/etc/corelift/agent.json"
install -m 644 packaging/debian/agent/conffiles "$tree/DEBIAN/conffiles"
install -m 755 packaging/debian/agent/postinst packaging/debian/agent/prerm packaging/debian/agent/postrm "$tree/DEBIAN/"
# What Markdown says of settings and policy, and an example of one.
install -m 644 src/Corelift.Agent/SETTINGS.md src/Corelift.Agent/POLICY.md "$tree/usr/share/doc/corelift-agent/"
install -D -m 644 packaging/debian/agent/examples/policy.json "$tree/usr/share/doc/corelift-agent/examples/policy.json"
pack corelift-agent

stage cli corelift corelift
mkdir -p "$stage/corelift/usr/share/bash-completion/completions"
artifacts/bin/corelift completion bash >"$stage/corelift/usr/share/bash-completion/completions/corelift"
chmod 644 "$stage/corelift/usr/share/bash-completion/completions/corelift"
pack corelift

rm -rf "$stage"
lintian --no-tag-display-limit --fail-on error,warning "$out"/*.deb || fail "lintian found faults in the packages"
ls -l "$out"
