#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs, by name from Debian, what is missing: `tools/deps.sh build`, `tools/deps.sh build test`.
# Does nothing, and needs no root, when all is there.
set -u

build="gcc clang llvm make pkg-config bpftool libc6-dev linux-libc-dev libbpf-dev libxdp-dev libnl-3-dev
	libnl-route-3-dev libosip2-dev libcyaml-dev libyaml-dev libpcre2-dev libjansson-dev libcap-dev
	uthash-dev libjemalloc-dev"
run="iproute2 ethtool procps"
test="libcmocka-dev python3 python3-pytest sip-tester baresip-core kamailio sipsak nftables
	clang-format cppcheck tcpdump"
bench="python3 sip-tester nftables rtpengine-daemon"

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	run) wanted="$wanted $run" ;;
	test) wanted="$wanted $test" ;;
	bench) wanted="$wanted $bench" ;;
	*)
		echo "usage: tools/deps.sh build|run|test|bench ..." >&2
		exit 2
		;;
	esac
done

missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps: missing, and only root can install:$missing" >&2
	exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Nothing that comes in may start a service of its own (kamailio, rtpengine).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
# shellcheck disable=SC2086 # a list of words
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	echo "deps: apt-get failed:" >&2
	tail -20 "$log" >&2
	rm -f "$log"
	exit 1
fi
rm -f "$log"
