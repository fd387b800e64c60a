# Runs on a machine of a lab: captures pings on all interfaces of its own network namespace and of those named.
#
#   sh -c SCRIPT capture SECONDS [NETNS ...]
#
# Prints `ready` when all captures listen, waits for a line (or the end) of its input, then prints for each namespace its
# name, its interfaces and what was captured in base64, and removes it all.
set -eu
seconds=$1
shift
directory=$(mktemp -d /run/capture.XXXXXX)
pids=''
trap 'kill $pids 2>/dev/null || :; rm -rf "$directory"' EXIT
filter='icmp or icmp6 or ip proto 4 or udp port 4789'

for netns in . "$@"; do
  enter=''
  [ "$netns" = . ] || enter="nsenter --net=/run/netns/$netns"
  $enter ip -o link >"$directory/$netns-links"
  $enter timeout "$seconds" tcpdump -i any -y LINUX_SLL2 -Z root -U --immediate-mode --nano -c 10000 -w - "$filter" \
    >"$directory/$netns-packets" 2>"$directory/$netns-log" &
  pids="$pids $!"
done
for netns in . "$@"; do
  tries=0
  until grep -q 'listening on' "$directory/$netns-log"; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { cat "$directory/$netns-log" >&2; exit 1; }
    sleep 0.05
  done
done
echo ready
read -r _ || :
kill $pids
wait
for netns in . "$@"; do
  printf '=== %s\n---\n' "$netns"
  cat "$directory/$netns-links"
  printf -- '---\n'
  base64 "$directory/$netns-packets"
done
