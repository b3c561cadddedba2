#!/bin/sh
# As in the official image: options or a configuration file alone are meant for the server.
case "${1-}" in
  -* | *.conf) set -- "$SERVER" "$@" ;;
esac
exec "$@"
