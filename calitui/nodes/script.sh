# What calitui runs on a node: this, and nothing else. It only reads, writes no file and changes nothing.
#
#   sh -s -- SOURCE DESTINATION [SOURCE DESTINATION ...] [-- CONTAINER_IP ...]     with this text on standard input
#
# For each SOURCE and DESTINATION it asks the kernel where such a packet would go from here. For each CONTAINER_IP it
# looks into the network namespace of the container that holds it, which takes root. Then it prints links, addresses,
# routes, rules, neighbours and a few sysctls of the node itself, what its devices have counted, where its VXLAN devices
# send what and whether they compute checksums, and, inside calico-node, the pools as BIRD has been told of them. Then:
#
#   the MTU that Felix wrote down for pods                                     /var/lib/calico/mtu
#   which devices NetworkManager and systemd-networkd take for their own       files below /run
#   whether systemd-networkd removes the routes of others                      networkd.conf and what is beside it
#   which of Calico's daemons run                                              /proc/PID/comm
#   the packet filter but for its NAT tables, as root                          iptables-save -c, nft list ruleset
#   BIRD's status, protocols and routes, by its restricted mode                birdcl -r show ...
#
# POSIX sh; needs ip, cat and grep, for containers ls, sed and sort, and nsenter unless their namespaces are named, for
# the forwarding databases of VXLAN devices bridge, and for BIRD birdcl, birdc, or nsenter into calico-node.
#
# Output: `=== calitui 1 NONCE`, then parts `=== NONCE section NAME` ... `=== NONCE status N`, and `=== NONCE end` when
# all of it was printed. The nonce is new each time, so that no name or alias of a device can be taken for such a line.

# Words are split on purpose, and with globbing off they are only split; every shell of a node has -ef.
# shellcheck disable=SC2086,SC2012,SC2034,SC2317,SC3013
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
    [ -n "$name" ] || continue
    section "fdb $name" bridge fdb show dev "$name"
    ! command -v ethtool >/dev/null 2>&1 || section "offloads $name" ethtool -k "$name"
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

# running: which of Calico's daemons run in this network namespace, and `bird`, the process id of one that is BIRD.
running() {
  bird=''
  set +f
  found=$(grep -HsxE 'bird6?|confd|calico-(node|felix|typha)|felix|typha' /proc/[0-9]*/comm 2>&1)
  status=$?
  set -f
  mark section processes
  if [ "$status" -gt 2 ]; then
    mark stderr
    printf '%s\n' "$found"
  elif [ ! -r /proc/1/comm ]; then
    mark stderr
    printf '%s\n' 'hidepid hides the processes of others (needs root: run with --sudo)'
  else
    # Of processes that end meanwhile grep says that they can't be read.
    status=0
    for line in $found; do
      process=${line%/comm:*}
      # Another node on the same machine has daemons too; what may not be looked at is taken for this one's.
      [ ! -e "$process/ns/net" ] || [ /proc/self/ns/net -ef "$process/ns/net" ] || continue
      printf '%s\n' "$line"
      case $line in */comm:bird | */comm:bird6) bird=${process#/proc/} ;; esac
    done
  fi
  mark status "$status"
}

# of_host: what services of the host's distribution are told or say of devices. Inside calico-node it is not to be seen.
of_host() {
  [ ! -d /etc/calico/confd ] || return
  set +f
  set -- /run/NetworkManager/devices/* /run/systemd/netif/links/* /etc/systemd/networkd.conf \
    /etc/systemd/networkd.conf.d/*.conf /run/systemd/networkd.conf.d/*.conf /usr/lib/systemd/networkd.conf.d/*.conf
  set -f
  section host grep -HsE '^[[:blank:]]*(managed|ADMIN_STATE|ManageForeignRout[A-Za-z]*)[[:blank:]]*=' "$@"
}

# without_nat COMMAND [ARGUMENT ...]: what it prints but for the tables for NAT, most of it by far; its status.
without_nat() {
  {
    code=$({ { "$@"; printf '%s' $? >&3; } | sed -e '/^\*nat$/,/^COMMIT$/d' -e '/^table ip6* nat {/,/^}/d' >&4; } 3>&1)
  } 4>&1
  return "$code"
}

# in_kernel: whether the kernel has nf_tables, by its list of modules that are loaded, that of those it was built with,
# or its functions.
in_kernel() {
  grep -qs '^nf_tables ' /proc/modules && return
  read -r release </proc/sys/kernel/osrelease
  if [ -r "/lib/modules/$release/modules.builtin" ]; then
    grep -q '/nf_tables\.ko' "/lib/modules/$release/modules.builtin"
  else
    grep -qs ' nf_tables_newtable$' /proc/kallsyms
  fi
}

# packet_filter: the rules of both backends of iptables and of nftables. Asking for a backend that is not in use would
# make the kernel load it: the old one is asked where the kernel names tables of it, the other where it has nf_tables.
packet_filter() {
  if [ "$uid" != 0 ]; then
    mark section packet-filter
    mark stderr
    printf 'needs root: run with --sudo\n'
    mark status 1
    return
  fi
  nftables=''
  ! in_kernel || nftables=yes
  for command in iptables ip6tables; do
    tables=''
    { read -r tables </proc/net/"${command%tables}"_tables_names; } 2>/dev/null
    [ -n "$tables$nftables" ] || continue
    legacy=$command-legacy-save nft=$command-nft-save
    command -v "$legacy" >/dev/null 2>&1 || legacy=''
    command -v "$nft" >/dev/null 2>&1 || nft=''
    if [ -z "$legacy$nft" ]; then
      case $("$command-save" -V 2>&1) in *nf_tables*) nft=$command-save ;; *) legacy=$command-save ;; esac
    fi
    [ -z "$tables" ] || section "$command-legacy" without_nat $limit "${legacy:-$command-legacy-save}" -c
    [ -z "$nftables" ] || [ -z "$nft" ] || section "$command-nft" without_nat $limit "$nft" -c
  done
  [ -z "$nftables" ] || section nft without_nat $limit nft list ruleset
  mark section packet-filter
  mark status 0
}

# birds: for each family the first control socket there is, and what BIRD says there. Restricted mode can change nothing.
birds() {
  client=''
  for word in birdc birdcl; do
    ! command -v "$word" >/dev/null 2>&1 || client=$word
  done
  if [ -z "$client" ] && [ -n "$bird" ] && [ "$uid" = 0 ] && command -v nsenter >/dev/null 2>&1; then
    client="nsenter --mount=/proc/$bird/ns/mnt birdcl"
  fi
  mark section birds
  four='' six=''
  for directory in /run/bird /var/run/bird /var/run/calico; do
    [ ! -d "$directory" ] || [ -x "$directory" ] || printf 'closed %s\n' "$directory"
    [ ! -S "$directory/bird.ctl" ] || four=$directory/bird.ctl
    [ ! -S "$directory/bird6.ctl" ] || six=$directory/bird6.ctl
  done
  [ -z "$four" ] || printf '4 %s %s\n' "$four" "${client:+$client -r -s $four}"
  [ -z "$six" ] || printf '6 %s %s\n' "$six" "${client:+$client -r -s $six}"
  mark status 0
  [ -n "$client" ] || return
  for socket in $four $six; do
    family=4
    [ "$socket" != "$six" ] || family=6
    section "bird$family status" $limit $client -r -s "$socket" show status
    [ "$status" -eq 0 ] || continue
    section "bird$family protocols" $limit $client -r -s "$socket" show protocols all
    section "bird$family routes" $limit $client -r -s "$socket" show route
  done
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
  section counters cat /proc/net/dev
  forwarding
  # What confd wrote for BIRD is seen from inside calico-node only.
  pools=''
  for file in /etc/calico/confd/config/bird_ipam.cfg /etc/calico/confd/config/bird6_ipam.cfg; do
    [ ! -r "$file" ] || pools="$pools $file"
  done
  [ -z "$pools" ] || section pools cat $pools
  others=''
  [ ! -d /proc/sys/net/ipv6/conf ] || others='/proc/sys/net/ipv6/conf/*/forwarding'
  for file in /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max; do
    [ ! -r "$file" ] || others="$others $file"
  done
  set +f
  section sysctls grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \
    /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/proxy_arp $others
  set -f
  [ ! -r /var/lib/calico/mtu ] || section mtu cat /var/lib/calico/mtu
  of_host
  running
  # A daemon that hangs must not take along what was read before: these two come last.
  limit=''
  ! command -v timeout >/dev/null 2>&1 || limit='timeout 10'
  packet_filter
  birds
  mark end
}

main "$@" </dev/null
exit
