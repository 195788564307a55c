# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts in this folder, which source this file.
# shellcheck shell=bash
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${SEALCAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sealcam}

info() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs the calling script again in the build root, unless it already runs there.
enter_sdk() {
  if [[ -z ${SEALCAM_IN_SDK:-} ]]; then
    exec "$top/scripts/sdk" run "$0" "$@"
  fi
}

# Prints the packages in FILE for ARCHIVE (default: debian). As in Build-Depends, [raspberrypi] or [!raspberrypi] limits a line to some
# archives.
package_list() {
  sed 's/#.*//' "$1" |
    awk -v archive="${2:-debian}" 'NF && ($2 == "" || $2 == "[" archive "]" || ($2 ~ /^\[!/ && $2 != "[!" archive "]")) {print $1}'
}

# Prints the entry of Raspberry Pi's archive of SUITE in the format of sources.list(5), a line or a deb822 stanza: the value of
# $SEALCAM_RASPBERRYPI, or the entry of this machine's apt, or nothing. The Origin identifies the archive, so a mirror is found, too.
raspberrypi_archive() {
  case ${SEALCAM_RASPBERRYPI:-} in
    none) return ;;
    ?*) echo "$SEALCAM_RASPBERRYPI"; return ;;
  esac
  command -v apt-get >/dev/null || return 0
  local entry
  # shellcheck disable=SC2016  # variables of apt
  entry=$(apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(RELEASE)|$(SOURCESENTRY)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' -v suite="$1" '$1 == "Raspberry Pi Foundation" && ($2 == suite || $3 == suite) {print $4; exit}')
  # FILE:NUMBER is the number of the line or, in a .sources file, of the stanza. Stanzas with only comments do not count.
  case $entry in
    '') ;;
    *.sources:*) awk -v RS= -v number="${entry##*:}" '/(^|\n)[^#\n]/ && ++stanza == number' "${entry%:*}" ;;
    *) sed -n "${entry##*:}p" "${entry%:*}" ;;
  esac
}
