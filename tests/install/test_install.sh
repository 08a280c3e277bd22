#!/bin/sh
# Installs the build into a folder and builds an example against it as a user would: with
# pkg-config, with CMake's find_package; and looks at what the shared library shows.
# usage: test_install.sh BUILD-FOLDER SOURCE-FOLDER
# SPDX-License-Identifier: Apache-2.0
set -eu
build=$1 source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
    echo "test_install: $*" >&2
    exit 1
}

cmake --install "$build" --prefix "$folder/prefix" >/dev/null
PKG_CONFIG_PATH=$(dirname "$(find "$folder/prefix" -name braid.pc)")
export PKG_CONFIG_PATH
libraries=$(pkg-config --variable=libdir braid)
[ "$(pkg-config --modversion braid)" = "$("$folder/prefix/bin/braid" --version | cut -d ' ' -f 2)" ] ||
    fail "pkg-config and the program tell different versions"

cd "$folder"
# shellcheck disable=SC2046 # flags are words
cc "$source/examples/open_and_query.c" $(pkg-config --cflags --libs braid) \
    -Wl,-rpath,"$libraries" -o with_pkg_config
./with_pkg_config >shared.txt

cat >CMakeLists.txt <<EOF
cmake_minimum_required(VERSION 3.20)
project(user C)
find_package(braid 0.1 REQUIRED)
add_executable(with_shared $source/examples/open_and_query.c)
target_link_libraries(with_shared braid::braid)
add_executable(with_static $source/examples/open_and_query.c)
target_link_libraries(with_static braid::braid_static)
EOF
cmake -S . -B build -DCMAKE_PREFIX_PATH="$folder/prefix" >/dev/null
cmake --build build >/dev/null
for program in build/with_shared build/with_static; do
    rm -rf ./*.db*
    $program >answer.txt
    cmp answer.txt shared.txt || fail "$program gives another answer"
done
grep -q Oslo shared.txt || fail "the example does not answer"

shown=$(nm -D --defined-only "$libraries/libbraid.so" | awk '{ print $3 }' | grep -v '^braid_' || true)
[ -z "$shown" ] || fail "the shared library shows other names than braid_*: $shown"
readelf -d "$libraries/libbraid.so" | grep -q 'SONAME.*libbraid\.so\.0' || fail "no soname"
find "$folder/prefix/include" -type f | grep -qv 'braid\.h$' && fail "more headers than braid.h"
exit 0
