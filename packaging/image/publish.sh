#!/bin/sh
# publish.sh ARCHITECTURE DESTINATION BASE_IMAGE: both programs, licence and bill of materials, as they lie in the image.
set -eu
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false DOTNET_CLI_USE_MSBUILD_SERVER=0 # nothing may outlive the step
architecture=$1
destination=$2
base=$3

case $architecture in
    amd64) rid=linux-x64 ;;
    arm64) rid=linux-arm64 ;;
    *)
        echo "no such architecture: $architecture" >&2
        exit 1
        ;;
esac

set -- -c Release -r "$rid" -v quiet -p:StripSymbols=true -p:RunAnalyzers=false
if [ "$architecture" = "$(dpkg --print-architecture)" ]; then
    set -- "$@" -p:CppCompilerAndLinker=gcc
else
    # The committed lock files hold the platform that is tested; another one is resolved anew, from the same versions.
    set -- "$@" -p:CppCompilerAndLinker=clang -p:LinkerFlavor=lld -p:ObjCopyName=aarch64-linux-gnu-objcopy \
        "-p:RuntimeIdentifiers=$rid" "-p:NuGetLockFilePath=obj/packages.$rid.lock.json"
fi

mkdir -p "$destination/usr/bin" "$destination/usr/share/doc/corelift" "$destination/run/corelift"
chmod 750 "$destination/run/corelift"
for program in Corelift.Agent:corelift-agent Corelift.Cli:corelift; do
    dotnet publish "src/${program%%:*}" "$@" -o "/tmp/publish/${program##*:}"
    install -m 755 "/tmp/publish/${program##*:}/${program##*:}" "$destination/usr/bin/"
done
install -m 644 LICENSE "$destination/usr/share/doc/corelift/"
dotnet run packaging/sbom.cs -- --root . --rid "$rid" --base "$base" --output "$destination/usr/share/doc/corelift/sbom.cdx.json"
