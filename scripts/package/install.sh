#!/bin/sh
# Installs tswarm on this host from the folder that this file is in: programs, user, systemd unit. Needs no network. Says what the kernel lacks.
# Running it again upgrades: containers go on. `./install.sh --uninstall` takes containers, networks and programs away (images and volumes stay unless
# --purge is given).
set -eu

PREFIX=/usr/local
LIBRARY=$PREFIX/lib/tswarm
UNIT=/etc/systemd/system/tswarmd.service
DATA_ROOT=/var/lib/tswarm
RUN_ROOT=/run/tswarm
HERE=$(cd "$(dirname "$0")" && pwd)
GLIBC_MIN=2.34

fail() {
	printf 'Error: %s\n' "$1" >&2
	exit 1
}

warn() {
	printf 'Warning: %s\n' "$1" >&2
}

has_systemd() {
	[ -d /run/systemd/system ]
}

check_host() {
	[ "$(id -u)" = 0 ] || fail 'this needs root; run it with sudo.'
	[ "$(uname -s)" = Linux ] || fail "tswarm runs on Linux, this is $(uname -s)."
	built=$(cat "$HERE/ARCH")
	case "$(uname -m)" in
		x86_64) arch=x64 ;;
		aarch64) arch=arm64 ;;
		*) arch=$(uname -m) ;;
	esac
	[ "$arch" = "$built" ] || fail "this archive is for $built, this host is $arch; take the other one."
	found=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
	[ -n "$found" ] || fail 'this host has no GNU C library (Alpine?); Debian 12 or later, or Ubuntu 22.04 or later is needed.'
	lowest=$(printf '%s\n%s\n' "$found" "$GLIBC_MIN" | sort -V | head -n1)
	[ "$lowest" = "$GLIBC_MIN" ] || fail "the GNU C library is $found, at least $GLIBC_MIN is needed (Debian 12, Ubuntu 22.04)."
}

# A feature that is built in, loaded, or can be loaded. Without a list of modules nothing is said.
has_module() {
	[ -d "/sys/module/$1" ] && return 0
	folder=/lib/modules/$(uname -r)
	[ -e "$folder/modules.builtin" ] || [ -e "$folder/modules.dep" ] || return 0
	cat "$folder/modules.builtin" "$folder/modules.dep" 2>/dev/null | grep -q "/$1\.ko"
}

check_kernel() {
	missing=
	for kind in net pid mnt uts ipc; do
		[ -e "/proc/self/ns/$kind" ] || missing="$missing $kind-namespaces"
	done
	grep -qw overlay /proc/filesystems || has_module overlay || missing="$missing overlay(CONFIG_OVERLAY_FS)"
	[ -e /sys/fs/cgroup/cgroup.controllers ] || [ -d /sys/fs/cgroup/memory ] || missing="$missing control-groups(mount-cgroup2-on-/sys/fs/cgroup)"
	has_module nf_tables || missing="$missing nftables(CONFIG_NF_TABLES)"
	has_module veth || missing="$missing veth(CONFIG_VETH)"
	[ -z "$missing" ] || fail "the kernel $(uname -r) lacks:$missing; boot one that has them."
	has_module wireguard || [ -e /dev/net/tun ] ||
		warn 'the kernel has neither wireguard nor /dev/net/tun: networks that span hosts will not be encrypted here.'
	has_module vxlan || warn 'the kernel has no vxlan: published ports reach only the tasks on the same host.'
}

write_command() {
	printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$PREFIX/bin/$1.new"
	chmod 755 "$PREFIX/bin/$1.new"
	mv "$PREFIX/bin/$1.new" "$PREFIX/bin/$1"
}

install_files() {
	mkdir -p "$PREFIX/lib" "$PREFIX/bin"
	rm -rf "$LIBRARY.new" "$LIBRARY.old"
	cp -R "$HERE/lib" "$LIBRARY.new"
	chown -R 0:0 "$LIBRARY.new"
	[ ! -e "$LIBRARY" ] || mv "$LIBRARY" "$LIBRARY.old"
	mv "$LIBRARY.new" "$LIBRARY"
	rm -rf "$LIBRARY.old"
	# After "--", Node leaves a flag of ours that it has too (--env-file) alone.
	write_command tswarm "$LIBRARY/node -- $LIBRARY/dist/cli/tswarm/main.js"
	write_command tcompose "$LIBRARY/node -- $LIBRARY/dist/cli/tcompose/main.js"
	write_command tswarmd "$LIBRARY/node $LIBRARY/dist/daemon/main.js"
	for program in "$LIBRARY"/native/build/tswarm-*; do
		write_command "$(basename "$program")" "$program"
	done
}

# The manager process has a user of its own; without one it runs as root, and the log says so.
make_user() {
	if command -v useradd >/dev/null 2>&1; then
		# Who may use the sockets, and that is as much as root: not the manager.
		getent group tswarm >/dev/null 2>&1 || groupadd --system tswarm
		getent passwd tswarm-manager >/dev/null 2>&1 ||
			useradd --system --user-group --no-create-home --shell /usr/sbin/nologin tswarm-manager
	else
		warn 'there is no useradd here: the manager will run as root.'
	fi
}

start() {
	if has_systemd; then
		cp "$HERE/tswarmd.service" "$UNIT"
		systemctl daemon-reload
		systemctl enable -q tswarmd
		systemctl restart tswarmd
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			"$PREFIX/bin/tswarm" info >/dev/null 2>&1 && return 0
			sleep 0.5
		done
		fail 'tswarmd does not answer; see "journalctl -u tswarmd".'
	fi
	echo 'There is no systemd here: start the daemon with whatever starts services on this host:'
	echo '    tswarmd >/var/log/tswarmd.log 2>&1 &'
}

uninstall() {
	if [ -x "$PREFIX/bin/tswarm" ] && "$PREFIX/bin/tswarm" info >/dev/null 2>&1; then
		"$PREFIX/bin/tswarm" leave --force >/dev/null 2>&1 || true
	fi
	if has_systemd && [ -e "$UNIT" ]; then
		systemctl disable -q --now tswarmd || true
		rm -f "$UNIT"
		systemctl daemon-reload
	fi
	# Containers run without the daemon: they and what they have in the kernel go while there is a program that knows them.
	if [ -x "$LIBRARY/node" ] && [ -e "$LIBRARY/take-down.mjs" ]; then
		"$LIBRARY/node" "$LIBRARY/take-down.mjs" "$LIBRARY" "$DATA_ROOT" "$RUN_ROOT"
	fi
	for path in "$PREFIX"/bin/tswarm* "$PREFIX/bin/tcompose"; do
		if [ -f "$path" ] && grep -qs "$LIBRARY" "$path"; then rm -f "$path"; fi
	done
	rm -rf "$LIBRARY"
	if [ "${1:-}" = --purge ]; then
		grep -o " $DATA_ROOT/[^ ]*\| $RUN_ROOT/[^ ]*" /proc/self/mounts | sort -r | while read -r path; do umount -l "$path"; done
		rm -rf "$DATA_ROOT" "$RUN_ROOT"
		! getent passwd tswarm-manager >/dev/null 2>&1 || userdel tswarm-manager
		! getent group tswarm >/dev/null 2>&1 || groupdel tswarm
		echo 'tswarm and its state are gone.'
	else
		echo "tswarm is gone; its state is still in $DATA_ROOT (--uninstall --purge removes it)."
	fi
}

if [ "${1:-}" = --uninstall ]; then
	[ "$(id -u)" = 0 ] || fail 'this needs root; run it with sudo.'
	uninstall "${2:-}"
	exit 0
fi
[ $# = 0 ] || fail "unknown option $1; there are --uninstall and --uninstall --purge."
check_host
check_kernel
make_user
install_files
start
cat <<'TEXT'
tswarm is installed. Next:
    tswarm init                            make this host the first of a cluster, or
    tswarm join --token TOKEN HOST:2377    join one (tswarm join-token worker, on a manager, prints this line)
TEXT
