#!/bin/sh
# kubectl headrace, as krew installs it: finds a Python that is new enough and runs launcher.py, which lies beside it.
set -u

program=$0
while [ -L "$program" ]; do # krew puts a link on the PATH
  target=$(readlink "$program")
  case $target in
  /*) program=$target ;;
  *) program=$(dirname "$program")/$target ;;
  esac
done

for python in python3 python3.14 python3.13 python3.12 python3.11; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    exec "$python" "$(dirname "$program")/launcher.py" "$@"
  fi
done
echo "kubectl headrace: it needs Python 3.11 or newer, and found none on the PATH; install one, as python3 or python3.11" >&2
exit 1
