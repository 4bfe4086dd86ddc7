# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What ./run, ./test and ./bench/run share: messages, packages, configuring, building.
# Sourced, never run. $top is the root of the checkout.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

# die MESSAGE [WHAT TO DO NEXT]
die() {
  printf '\033[1;31merror:\033[0m %s\n' "$1" >&2
  [ -n "${2:-}" ] && printf '       %s\n' "$2" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing packages needs root, and there is no sudo" "Run this once as root, or install by hand: $*"
  fi
}

# packages GROUP…: the names in those groups of packaging/debian.list.
packages() {
  local group
  for group in "$@"; do
    awk -v g="$group" '$1 == g { print $2 }' "$top/packaging/debian.list"
  done
}

# missing NAME…: those which are not installed.
missing() {
  local name
  dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    awk '$2 == "installed" { print $1 }' | sort -u >"$scratch/installed"
  for name in "$@"; do grep -qxF "$name" "$scratch/installed" || printf '%s\n' "$name"; done
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y "$@"
}

# One line that grows, instead of pages of apt: what is being done, and how far it is. In a log,
# where lines cannot grow, one in a hundred.
apt_progress() {
  local total=$1 count=0 line
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$scratch/apt.log"
    case $line in
      Get:*) [ -t 2 ] && printf '\r\033[K    fetching %s' "$(cut -d' ' -f5 <<<"$line")" >&2 ;;
      'Setting up '*)
        count=$((count + 1))
        if [ -t 2 ]; then
          printf '\r\033[K    %d set up (%d asked for, with what they need)' "$count" "$total" >&2
        elif [ $((count % 100)) = 0 ]; then
          printf '    %d packages set up\n' "$count" >&2
        fi ;;
    esac
  done
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

# install GROUP…: installs what is missing of these groups. Nothing in them is a service.
install() {
  local names wanted count
  wanted=$(packages "$@")
  # npm of another origin conflicts with Debian's: its own is taken only where there is none.
  case " $* " in *' test '*) command -v npm >/dev/null || wanted="$wanted nodejs npm" ;; esac
  # shellcheck disable=SC2086 # a list of names
  names=$(missing $wanted)
  [ -z "$names" ] && return 0
  command -v apt-get >/dev/null || die "missing packages and no apt-get here: $(echo $names)" \
    "sotto is built for Debian 12. On another system install their equivalents by hand."
  count=$(printf '%s\n' "$names" | wc -l)
  say "Installing $count Debian packages"
  if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mmin -1440 -print -quit 2>/dev/null)" ]; then
    apt update >"$scratch/apt.log" 2>&1 || { tail -n 20 "$scratch/apt.log" >&2; die "apt-get update failed" "Is the network up? The last lines above are apt's own."; }
  fi
  # shellcheck disable=SC2086
  if ! apt install --no-install-recommends $names 2>&1 | apt_progress "$count" ||
     [ -n "$(missing $names)" ]; then
    say "Trying again with fresh package lists"
    apt update >>"$scratch/apt.log" 2>&1
    apt install --no-install-recommends $names 2>&1 | apt_progress "$count"
    # shellcheck disable=SC2046
    [ -z "$(missing $names)" ] || { tail -n 20 "$scratch/apt.log" >&2; die "could not install: $(echo $(missing $names))" "The last lines above are apt's own."; }
  fi
}

# configure DIR [MESON OPTION…]: sets a build folder up, or brings its options up to date.
configure() {
  local dir=$1; shift
  if [ ! -f "$dir/build.ninja" ]; then
    say "Configuring $(basename "$dir")"
    rm -rf "$dir/meson-private"
    meson setup "$dir" "$top" "$@" >"$scratch/meson.log" 2>&1 ||
      { tail -n 20 "$scratch/meson.log" >&2; die "meson could not configure the project" "The full log is $dir/meson-logs/meson-log.txt"; }
  elif [ "$#" -gt 0 ]; then
    local option changed=()
    for option in "$@"; do
      grep -qxF -- "$option" "$dir/.sotto-options" 2>/dev/null || changed+=("$option")
    done
    if [ "${#changed[@]}" -gt 0 ]; then
      say "Reconfiguring $(basename "$dir")"
      meson setup --reconfigure "$dir" "$top" "${changed[@]}" >"$scratch/meson.log" 2>&1 ||
        { tail -n 20 "$scratch/meson.log" >&2; die "meson could not reconfigure $dir" "Remove that folder and try again."; }
    fi
  fi
  local option
  for option in "$@"; do
    { grep -vF -- "${option%%=*}=" "$dir/.sotto-options" 2>/dev/null || true
      printf '%s\n' "$option"; } >"$scratch/options"
    cp "$scratch/options" "$dir/.sotto-options"
  done
}

# build DIR [TARGET…]: compiles, showing ninja's own progress; on a failure its last words.
build() {
  local dir=$1; shift
  if ninja -C "$dir" -n "$@" 2>/dev/null | grep -q 'no work to do'; then return 0; fi
  say "Compiling ($(basename "$dir"))"
  if [ -t 2 ]; then
    ninja -C "$dir" "$@" >&2 || die "the build failed" "The compiler's words are above."
  else  # In a log: one line in twenty, and everything on failure.
    ninja -C "$dir" "$@" >"$scratch/ninja.log" 2>&1 &
    local pid=$! last='' now
    while kill -0 "$pid" 2>/dev/null; do
      now=$(grep -oE '^\[[0-9]+/[0-9]+\]' "$scratch/ninja.log" 2>/dev/null | tail -n 1 || true)
      if [ "$now" != "$last" ]; then printf '    %s\n' "$now" >&2; last=$now; fi
      sleep 5
    done
    wait "$pid" || { grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Linking|Generating)' "$scratch/ninja.log" | tail -n 60 >&2 || true; die "the build failed" "The compiler's words are above."; }
  fi
}

# GStreamer scans plugins once per registry file; every process of ours shares this one.
gst_environment() {
  export GST_PLUGIN_PATH="$1/elements${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
  export GST_REGISTRY="$1/gst-registry.bin"
}

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
