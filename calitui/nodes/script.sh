# What calitui runs on a node: this, and nothing else. It only reads, writes no file and changes nothing.
#
#   sh -s -- SOURCE DESTINATION [SOURCE DESTINATION ...] [-- CONTAINER_IP ...]     with this text on standard input
#
# For each SOURCE and DESTINATION it asks the kernel where such a packet would go from here. For each CONTAINER_IP it
# looks into the network namespace of the container that holds it, which takes root. Then it prints links, addresses,
# routes, rules, neighbours and a few sysctls of the node itself, where its VXLAN devices send what, and, inside
# calico-node, the pools as BIRD has been told of them.
#
# POSIX sh; needs ip, cat and grep, for containers ls, sed and sort, and nsenter unless their namespaces are named, and
# for the forwarding databases of VXLAN devices bridge.
#
# Output: `=== calitui 1 NONCE`, then parts `=== NONCE section NAME` ... `=== NONCE status N`, and `=== NONCE end` when
# all of it was printed. The nonce is new each time, so that no name or alias of a device can be taken for such a line.

# Words are split on purpose, and with globbing off they are only split.
# shellcheck disable=SC2086,SC2012,SC2034
LC_ALL=C
export LC_ALL
set -f
command -v ip >/dev/null 2>&1 || PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
newline='
'

mark() {
  printf '=== %s %s\n' "$nonce" "$*"
}

# section NAME COMMAND [ARGUMENT ...]: its output, what it said on standard error, its status.
section() {
  mark section "$1"
  shift
  { said=$("$@" 2>&1 >&3 3>&-); status=$?; } 3>&1
  printf '\n'
  [ -z "$said" ] || { mark stderr; printf '%s\n' "$said"; }
  mark status "$status"
}

# understand ANSWER: sets type, dev and via from the first line of an answer of `ip route get`.
understand() {
  type='' dev='' via=''
  set -- ${1%%"$newline"*}
  case ${1:-} in *[a-z]*) case $1 in *[.:]*) ;; *) type=$1 ;; esac ;; esac
  while [ $# -gt 1 ]; do
    case $1 in
      dev) dev=${dev:-$2}; shift ;;
      via) [ "$2" = inet6 ] && shift; via=${via:-$2}; shift ;;
    esac
    shift
  done
}

# lookup DESTINATION SOURCE DEVICE: the kernel's own answer; the last two may be empty.
lookup() {
  type='' dev='' via=''
  key="$1,$2,$3;"
  destination=$1 source=$2 input=$3
  set -- ip
  case $destination in *:*) set -- ip -6 ;; esac
  set -- "$@" route get "$destination"
  [ -z "$source" ] || set -- "$@" from "$source"
  [ -z "$input" ] || set -- "$@" iif "$input"
  answer=$("$@" 2>&1)
  status=$?
  [ "$status" -ne 0 ] || understand "$answer"
  case $asked in *";$key"*) return ;; esac
  asked="$asked$key"
  mark lookup "$destination" "${source:--}" "${input:--}"
  mark command "$*"
  printf '%s\n' "$answer"
  mark status "$status"
}

# question SOURCE DESTINATION: the packet comes in by the device that leads back to its source.
question() {
  lookup "$1" '' ''
  case $type in
    local) lookup "$2" "$1" '' ;;
    '') if [ -n "$dev" ]; then lookup "$2" "$1" "$dev"; else lookup "$2" '' ''; fi ;;
    *) lookup "$2" '' '' ;;
  esac
  # The next hop is reached by a lookup of its own: it is where an outer packet goes.
  case $via in '' | fe80:*) ;; *) lookup "$via" '' '' ;; esac
}

# namespace PREFIX IP-COMMAND [WORD ...]: what both the node and a container have.
namespace() {
  prefix=$1
  shift
  section "${prefix}links" "$@" $details -o link
  section "${prefix}addresses" "$@" -o addr
  section "${prefix}rules" "$@" -4 rule
  section "${prefix}rules6" "$@" -6 rule
  section "${prefix}routes" "$@" -4 route show table all
  section "${prefix}routes6" "$@" -6 route show table all
  section "${prefix}neighbours" "$@" neigh
}

# forwarding: where each VXLAN device sends the frames for a MAC. BusyBox's ip can't be asked for a kind of device.
forwarding() {
  vxlan=$(ip -o link show type vxlan 2>/dev/null || ip -o link 2>/dev/null | grep '^[0-9]*: vxlan')
  printf '%s\n' "$vxlan" | while read -r number name rest; do
    name=${name%:} name=${name%@*}
    [ -z "$name" ] || section "fdb $name" bridge fdb show dev "$name"
  done
}

# holds ADDRESS IP-COMMAND [WORD ...]: whether the namespace that the command looks into has the address, and the other
# end of the veth where its numbers are known (BusyBox's ip does not tell them).
holds() {
  wanted=$1
  shift
  case $("$@" -o addr 2>/dev/null) in *" $wanted/"*) ;; *) return 1 ;; esac
  [ -z "$pair" ] || [ -n "$("$@" -o link 2>/dev/null | sed -n "s/^$pair: .*/yes/p")" ]
}

# netns_of ADDRESS DEVICE: sets `inside`, the words that run ip in the namespace at the other end of the device, or
# `why` there are none.
netns_of() {
  inside='' name='' nsid='' pair='' why='' address=$1
  answer=$(ip -o link show dev "$2" 2>/dev/null)
  set -- ${answer%%"$newline"*}
  index=${1:-} index=${index%:}
  peer=${2:-} peer=${peer##*@if} peer=${peer%:}
  case $index$peer in '' | *[!0-9]*) ;; *) [ -z "$details" ] || pair="$peer: [^ ]*@if$index" ;; esac
  while [ $# -gt 1 ] && [ -z "$name$nsid" ]; do
    case $1 in
      link-netns) name=$2 ;;
      link-netnsid) nsid=$2 ;;
    esac
    shift
  done
  case $name in '' | . | .. | -* | *[!A-Za-z0-9._-]*) ;;
    *)
      inside="nsenter --net=/run/netns/$name ip"
      holds "$address" $inside && return 0
      inside="ip -n $name"
      holds "$address" $inside && return 0
      ;;
  esac
  inside=''
  why='nsenter is not there'
  command -v nsenter >/dev/null 2>&1 || return 1
  case $nsid in '' | *[!0-9]*) ;;
    *)
      for pid in $(lsns -t net -n -r -o NETNSID,PID 2>/dev/null | sed -n "s/^ *$nsid  *\([0-9][0-9]*\).*/\1/p"); do
        inside="nsenter --net=/proc/$pid/ns/net ip"
        holds "$address" $inside && return 0
      done
      ;;
  esac
  # One process of each namespace there is, 512 at most. Two that fit are two nodes on one machine: either may be it.
  set +f
  pids=$(ls -l /proc/[0-9]*/ns/net 2>/dev/null |
    sed -n 's|^.* /proc/\([0-9]*\)/ns/net -> net:\[\([0-9]*\)\]$|\2 \1|p' | sort -u -k1,1 | sed -n '1,512s/^.* //p')
  set -f
  inside='' found=''
  for pid in $pids; do
    holds "$address" nsenter "--net=/proc/$pid/ns/net" ip || continue
    found="$found $pid"
    inside="nsenter --net=/proc/$pid/ns/net ip"
  done
  why='no network namespace that can be entered has it'
  case $found in
    '') return 1 ;;
    ' '*' '*) why="more than one network namespace may be its own: those of processes$found" && return 1 ;;
  esac
}

# container ADDRESS: the namespace of the container that has it, or why there is nothing to see.
container() {
  if [ "$uid" != 0 ]; then
    mark absent "$1" 'needs root: run with --sudo'
    return
  fi
  case $1 in *:*) answer=$(ip -6 route get "$1" 2>&1) ;; *) answer=$(ip route get "$1" 2>&1) ;; esac
  status=$?
  understand "$answer"
  if [ "$status" -ne 0 ]; then
    mark absent "$1" "this node has no route to it: ${answer%%"$newline"*}"
  elif [ "$type" = local ]; then
    mark absent "$1" 'it is an address of the node itself'
  elif [ -n "$via" ] || [ -z "$dev" ]; then
    mark absent "$1" "it is not on this node: ${answer%%"$newline"*}"
  elif netns_of "$1" "$dev"; then
    mark container "$1" "$inside"
    namespace "container $1 " $inside
  else
    mark absent "$1" "$why (it is behind $dev)"
  fi
}

main() {
  read -r nonce </proc/sys/kernel/random/uuid || nonce=$$
  printf '\n=== calitui 1 %s\n' "$nonce"
  words=0
  for word in "$@"; do
    case $word in
      --) break ;;
      *) words=$((words + 1)) ;;
    esac
  done
  for word in "$@"; do
    case $word in --) continue ;; '' | *[!0-9A-Fa-f:.]*) words=1 ;; esac
  done
  if [ $((words % 2)) -ne 0 ]; then
    mark refused 'usage: SOURCE DESTINATION [SOURCE DESTINATION ...] [-- CONTAINER_IP ...]'
    return 2
  fi
  uid=''
  while read -r key real effective rest; do
    [ "$key" != Uid: ] || uid=$effective
  done </proc/self/status
  # On Debian everybody's PATH has ip, but only the administrator's has bridge.
  [ "$uid" = 0 ] || PATH=$PATH:/usr/sbin:/sbin
  asked=';'
  details=-d
  ip -d -o link show dev lo >/dev/null 2>&1 || details=''
  section identity cat /proc/sys/kernel/hostname /proc/sys/kernel/osrelease
  section version ip -V
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    question "$1" "$2"
    shift 2
  done
  [ $# -eq 0 ] || shift
  while [ $# -gt 0 ]; do
    container "$1"
    shift
  done
  namespace '' ip
  forwarding
  # What confd wrote for BIRD is seen from inside calico-node only.
  pools=''
  for file in /etc/calico/confd/config/bird_ipam.cfg /etc/calico/confd/config/bird6_ipam.cfg; do
    [ ! -r "$file" ] || pools="$pools $file"
  done
  [ -z "$pools" ] || section pools cat $pools
  ipv6=''
  [ ! -d /proc/sys/net/ipv6/conf ] || ipv6='/proc/sys/net/ipv6/conf/*/forwarding'
  set +f
  section sysctls grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \
    /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/proxy_arp $ipv6
  set -f
  mark end
}

main "$@" </dev/null
exit
