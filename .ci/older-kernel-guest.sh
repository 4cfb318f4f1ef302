#!/usr/bin/env bash
# Runs in the machine of .ci/older-kernel.sh. A line "== NAME" goes before each project's output, and "== end" after the last.
set -uo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
cd "$CORELIFT_FOLDER"

# tests PROJECT FILTER
tests() {
    printf '\n== %s\n' "$1"
    dotnet test "tests/$1/bin/Release/net10.0/$1.dll" --filter "$2" 2>&1 | cat # not to a terminal
}

tests Corelift.Linux.Tests 'FullyQualifiedName~SoftDirtyTests|FullyQualifiedName~PagemapTests|FullyQualifiedName~BulkMemoryTests|FullyQualifiedName~LiveProcfsTests'
# Without what keeps both CPUs busy: emulated, that takes minutes.
tests Corelift.EndToEnd.Tests '(FullyQualifiedName~PrecopyTests|((FullyQualifiedName~MemoryIsExactTests|FullyQualifiedName~LeavesNothingBehindTests)&DisplayName~recopy))&FullyQualifiedName!~A_dirty_set&FullyQualifiedName!~Pages_written&FullyQualifiedName!~Page_pairs'
echo "== end"
