# Shared by the scripts in this folder. How a daemon is started and stopped is as with the Kitsu server.
# shellcheck shell=bash source-path=SCRIPTDIR disable=SC1091,SC2034,SC2154
# shellcheck source=../zou/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/../zou/env.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$dir/flow-venv
