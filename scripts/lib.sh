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
