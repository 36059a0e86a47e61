# Commands that concern the service find it without being told where it is. These are the unit's own
# values; whoever sets a variable or gives a flag means something else.
case ${1-} in
  logs | stats | cache | config | doctor)
    export GHOSTAI_CONFIG="${GHOSTAI_CONFIG-/etc/ghostai/ghostai.yaml}"
    export GHOSTAI_SOCKET_PATH="${GHOSTAI_SOCKET_PATH-/run/ghostai/ghostai.sock}"
    export GHOSTAI_ADMIN_SOCKET_PATH="${GHOSTAI_ADMIN_SOCKET_PATH-/run/ghostai/ghostai-admin.sock}"
    export GHOSTAI_STORE_PATH="${GHOSTAI_STORE_PATH-/var/lib/ghostai/store}"
    ;;
esac
