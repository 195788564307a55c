# Shared by the commands in this folder; sourced, not run.
# shellcheck shell=bash
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${SEALCAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sealcam}

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs the calling script again inside the build root, once.
enter_sdk() {
  if [[ -z ${SEALCAM_IN_SDK:-} ]]; then
    exec "$top/scripts/sdk" run "$0" "$@"
  fi
}

# The packages that FILE lists for ARCHIVE (default: debian). A line is for all, or, as in Build-Depends, for some: [raspberrypi],
# [!raspberrypi].
package_list() {
  sed 's/#.*//' "$1" |
    awk -v archive="${2:-debian}" 'NF && ($2 == "" || $2 == "[" archive "]" || ($2 ~ /^\[!/ && $2 != "[!" archive "]")) {print $1}'
}

# Raspberry Pi's own archive of SUITE as sources.list(5) takes it, a line or a deb822 stanza: what $SEALCAM_RASPBERRYPI says, else
# what this machine's apt has. Nothing when there is none. Archives are told by their Origin, so that a mirror counts, too.
raspberrypi_archive() {
  case ${SEALCAM_RASPBERRYPI:-} in
    none) return ;;
    ?*) echo "$SEALCAM_RASPBERRYPI"; return ;;
  esac
  command -v apt-get >/dev/null || return 0
  local entry
  # shellcheck disable=SC2016  # apt's own variables
  entry=$(apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(RELEASE)|$(SOURCESENTRY)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' -v suite="$1" '$1 == "Raspberry Pi Foundation" && ($2 == suite || $3 == suite) {print $4; exit}')
  # FILE:NUMBER, of the line or, in a .sources file, of the stanza, where comments alone are none.
  case $entry in
    '') ;;
    *.sources:*) awk -v RS= -v number="${entry##*:}" '/(^|\n)[^#\n]/ && ++stanza == number' "${entry%:*}" ;;
    *) sed -n "${entry##*:}p" "${entry%:*}" ;;
  esac
}
