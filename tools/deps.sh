#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs, by name from Debian, what is missing: `tools/deps.sh build`, `tools/deps.sh build test`.
# Does nothing, and needs no root, when all is there.
set -u

build="gcc clang make pkg-config bpftool libc6-dev linux-libc-dev libbpf-dev libxdp-dev libnl-3-dev
	libnl-route-3-dev libosip2-dev libcyaml-dev libyaml-dev libpcre2-dev libjansson-dev libcap-dev
	uthash-dev libjemalloc-dev libssl-dev libc-ares-dev liblmdb-dev libprotobuf-c-dev
	protobuf-c-compiler libxxhash-dev dpkg-dev"
run="iproute2 ethtool procps tzdata"
demo="python3 sip-tester baresip-core nftables"
test="libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-jsonschema python3-yaml sip-tester baresip-core kamailio
	kamailio-tls-modules kamailio-utils-modules dnsmasq-base openssl linphone-cli sipsak nftables
	clang-format cppcheck tcpdump libclang-rt-dev systemd"
kernel="qemu-system-x86 busybox-static cpio xz-utils xdp-tools util-linux mmdebstrap e2fsprogs"
bench="python3 sip-tester nftables rtpengine-daemon kamailio openssl"

LOCK_WAIT_S=300 # a fresh machine may still be at its own first update

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	run) wanted="$wanted $run" ;;
	demo) wanted="$wanted $demo" ;;
	test) wanted="$wanted $test" ;;
	bench) wanted="$wanted $bench" ;;
	kernel) wanted="$wanted $kernel" ;;
	*)
		echo "usage: tools/deps.sh build|run|demo|test|bench|kernel ..." >&2
		exit 2
		;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	echo "deps: no Debian: what these packages hold is needed, and not looked for:" $wanted >&2
	exit 0
fi
# With more than one architecture a package may have several lines.
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
missing=
for package in $wanted; do
	case " $missing " in *" $package "*) continue ;; esac
	grep -qxF "$package" <<<"$installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps: missing, and only root can install:$missing" >&2
	exit 1
fi
echo "deps: installing, which takes minutes where much is missing:$missing"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

log=$(mktemp)
policy=
trap 'rm -f "$log" $policy' EXIT
trap 'exit 130' INT TERM HUP
# Nothing that comes in may start a service of its own (kamailio, rtpengine).
if [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

# update: the lists have a lock of their own, which apt-get does not wait for.
update() {
	local end=$((SECONDS + LOCK_WAIT_S))
	until apt-get update >"$log" 2>&1; do
		grep -q 'Could not get lock' "$log" && [ $SECONDS -lt $end ] || return 1
		sleep 2
	done
}

# An installation that was interrupted before is brought to its end first.
# shellcheck disable=SC2086 # a list of words
if ! { update && dpkg --configure -a &&
	apt-get -o "DPkg::Lock::Timeout=$LOCK_WAIT_S" install -y --no-install-recommends $missing; } \
	>>"$log" 2>&1; then
	echo "deps: apt-get failed:" >&2
	tail -20 "$log" >&2
	exit 1
fi
