# What calitui runs on a node for a live proof: this, and nothing else. It writes no file and changes nothing.
#
#   sh -s -- MODE ...     with this text on standard input, which then stays open: when it ends, so does everything
#
#   tools                                                        which programs there are, and whether this is root
#   counts                                                       /proc/net/netstat
#   watch NETNS HOLDS DEVICE SECONDS COUNT BYTES FILTER ...      a capture, its packets on standard output
#   ping NETNS HOLDS DESTINATION COUNT SIZE do|dont IDENTIFIER PATTERN         echo requests
#   tcp NETNS HOLDS DESTINATION PORT COUNT                       connections that are closed as soon as they are made
#   udp NETNS HOLDS DESTINATION PORT COUNT PATTERN               datagrams
#
# NETNS is the network namespace to do it in, /run/netns/NAME or /proc/PID/ns/net, or - for this one; HOLDS is an address
# that must be found in it, or -. DEVICE is a device or `any`. SIZE is of the payload in bytes, with `do` fragmentation is
# forbidden, IDENTIFIER is a number where ping takes one, or -. PATTERN is the payload in hex. FILTER is a pcap filter, in
# which + and - stand for parentheses and _ and , for brackets, so that no word means anything to any shell.
#
# A capture takes at most COUNT packets of BYTES bytes each, is never promiscuous, and ends after SECONDS whatever comes.
# POSIX sh; needs timeout, cat, sleep and sed, for NETNS nsenter, for HOLDS and captures ip, for captures tcpdump, for
# datagrams and connections bash or python3.
#
# Output: `=== calitui-proof 1`, then `=== refused WHY`, or what the mode prints. A capture prints `N DEVICE` for each
# device there is, then `=== capture` and what `tcpdump -w -` prints. What is said of it goes to standard error.

# Words are split on purpose, and with globbing off they are only split.
# shellcheck disable=SC2086,SC2034,SC2016,SC2317
LC_ALL=C
export LC_ALL
set -f
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin

refuse() {
  printf '=== refused %s\n' "$*"
  exit 2
}

has() {
  command -v "$1" >/dev/null 2>&1
}

need() {
  has "$1" || refuse "there is no $1"
}

# number WORD LARGEST
number() {
  case $1 in '' | *[!0-9]* | ????????*) refuse 'not a number' ;; esac
  [ "$1" -le "$2" ] || refuse "a number larger than $2"
}

address() {
  case $1 in '' | *[!0-9A-Fa-f:.]*) refuse 'not an address' ;; esac
}

# pattern WORD: up to 16 bytes in hex.
pattern() {
  case $1 in '' | *[!0-9a-f]* | ?????????????????????????????????*) refuse 'not a pattern' ;; esac
  [ $((${#1} % 2)) -eq 0 ] || refuse 'not a pattern'
}

# enter NETNS HOLDS: sets `inside`, the words that run a command there.
enter() {
  inside=''
  [ "$2" = - ] || address "$2"
  case $1 in
    -) ;;
    /proc/*/ns/net)
      process=${1#/proc/}
      number "${process%/ns/net}" 9999999
      inside="nsenter --net=$1"
      ;;
    /run/netns/*)
      case ${1#/run/netns/} in '' | . | .. | *[!A-Za-z0-9._-]*) refuse 'not a network namespace' ;; esac
      inside="nsenter --net=$1"
      ;;
    *) refuse 'not a network namespace' ;;
  esac
  if [ -n "$inside" ]; then
    [ "$uid" = 0 ] || refuse 'needs root: run with --sudo'
    need nsenter
    [ -e "$1" ] || refuse 'the network namespace is gone'
  fi
  # A process id may be another's by now, and a name may stand for another namespace.
  if [ "$2" != - ]; then
    need ip
    case $($inside ip -o addr 2>/dev/null) in *" $2/"*) ;; *) refuse "$2 is not in the network namespace any more" ;; esac
  fi
}

running() {
  kill -0 "$1" 2>/dev/null
}

# guarded COMMAND [ARGUMENT ...]: run it until it ends, or standard input does: then `stopped` is set. Sets `status`.
guarded() {
  "$@" </dev/null 3<&- &
  child=$!
  cat <&3 >/dev/null 2>&1 3<&- &
  input=$!
  while running "$child" && running "$input"; do
    sleep 0.1 2>/dev/null || sleep 1
  done
  stopped=''
  ! running "$child" || stopped=yes
  end
  wait "$child" 2>/dev/null
  status=$?
  wait "$input" 2>/dev/null
  child='' input=''
}

end() {
  [ -z "$child" ] || kill "$child" 2>/dev/null
  [ -z "$input" ] || kill "$input" 2>/dev/null
}

# iputils: whether ping is theirs. BusyBox's can't forbid fragmentation.
iputils() {
  case $(ping -V 2>&1) in *iputils*) ;; *) return 1 ;; esac
}

takes_identifier() {
  case $(ping -h 2>&1) in *'-e <identifier>'*) ;; *) return 1 ;; esac
}

tools() {
  [ "$uid" != 0 ] || echo root
  for word in tcpdump ping nsenter timeout ip bash python3; do
    ! has "$word" || printf 'tool %s\n' "$word"
  done
  ! has tcpdump || case $(tcpdump -i any -L 2>&1) in *LINUX_SLL2*) echo 'tcpdump devices' ;; esac
  if has ping && iputils; then
    echo 'ping fragmentation'
    ! takes_identifier || echo 'ping identifier'
  fi
  echo '=== end'
}

# watch DEVICE SECONDS COUNT BYTES FILTER ...
watch() {
  case $1 in '' | -* | *[!A-Za-z0-9._@-]*) refuse 'not a device' ;; *[!0-9]*) ;; *) refuse 'not a device' ;; esac
  number "$2" 60
  number "$3" 10000
  number "$4" 65535
  device=$1 seconds=$2 count=$3 bytes=$4
  shift 4
  for word in "$@"; do
    case $word in '' | *[!a-z0-9.:=_,+-]*) refuse 'not a word of a filter' ;; esac
  done
  need timeout
  need ip
  need tcpdump
  options='-n -p -U'
  case $(tcpdump --help 2>&1) in *immediate-mode*) options="$options --immediate-mode" ;; esac
  if [ "$device" = any ]; then
    answer=$($inside tcpdump -i any -L 2>&1)
    case $answer in
      *LINUX_SLL2*) options="$options -y LINUX_SLL2" ;;
      *LINUX_SLL*) refuse 'tcpdump is too old to tell devices apart' ;;
      *) refuse "tcpdump can't capture: $answer" ;;
    esac
  fi
  filter=$(printf '%s\n' "$*" | sed 'y/+-_,/()[]/')
  $inside ip -o link | while read -r number name rest; do
    name=${name%:}
    printf '%s %s\n' "${number%:}" "${name%@*}"
  done
  echo '=== capture'
  guarded timeout "$seconds" $inside tcpdump $options -i "$device" -c "$count" -s "$bytes" -w - "$filter"
}

# echo_requests DESTINATION COUNT SIZE do|dont IDENTIFIER PATTERN
echo_requests() {
  address "$1"
  number "$2" 20
  number "$3" 65507
  case $4 in do | dont) ;; *) refuse 'neither do nor dont' ;; esac
  [ "$5" = - ] || number "$5" 65535
  pattern "$6"
  need timeout
  need ping
  ping=ping
  case $1 in *:*) ! has ping6 || ping=ping6 ;; esac
  options="-n -c $2 -W 1 -s $3"
  if iputils; then
    options="$options -i 0.2 -M $4 -p $6"
    [ "$5" = - ] || ! takes_identifier || options="$options -e $5"
  elif [ "$4" = "do" ]; then
    refuse "ping can't forbid fragmentation here: it is not that of iputils"
  fi
  guarded timeout "$(($2 * 2 + 3))" $inside "$ping" $options "$1"
}

# The programs below are given an address, a port and a pattern, and leave with 124 where no answer came.
tcp_bash='exec 3<>"/dev/tcp/$0/$1"'
udp_bash='exec 3<>"/dev/udp/$0/$1" && printf "$(printf %s "$2" | sed "s/../\\\\x&/g")" >&3 || exit
read -r -t 1 -n 1 -u 3 answer
status=$?
[ $status -le 128 ] || exit 124
exit $status'
tcp_python3='import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
except TimeoutError:
    sys.exit(124)
except OSError as error:
    sys.exit(str(error))'
udp_python3='import socket, sys
probe = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
probe.settimeout(1)
try:
    probe.connect((sys.argv[1], int(sys.argv[2])))
    probe.send(bytes.fromhex(sys.argv[3]))
    probe.recv(1)
except TimeoutError:
    sys.exit(124)
except OSError as error:
    sys.exit(str(error))'

# knock tcp|udp DESTINATION PORT COUNT PATTERN
knock() {
  address "$2"
  number "$3" 65535
  number "$4" 20
  pattern "$5"
  need timeout
  for with in bash python3 ''; do
    [ -n "$with" ] || refuse "there is no bash or python3 to send with"
    ! has "$with" || break
  done
  case $1$with in
    tcpbash) program=$tcp_bash ;;
    tcppython3) program=$tcp_python3 ;;
    udpbash) program=$udp_bash ;;
    *) program=$udp_python3 ;;
  esac
  sent=0
  while [ "$sent" -lt "$4" ]; do
    sent=$((sent + 1))
    printf '=== try %s\n' "$sent"
    guarded timeout 3 $inside "$with" -c "$program" "$2" "$3" "$5" 2>&1
    [ -z "$stopped" ] || break
    printf '\n=== status %s\n' "$status"
  done
}

main() {
  exec 3<&0 </dev/null
  printf '=== calitui-proof 1\n'
  child='' input='' status=0 uid=''
  trap end EXIT
  trap 'exit 143' HUP INT PIPE TERM
  while read -r key real effective rest; do
    [ "$key" != Uid: ] || uid=$effective
  done </proc/self/status
  mode=${1:-}
  [ $# -eq 0 ] || shift
  case $mode in
    tools | counts) ;;
    *)
      [ $# -ge 5 ] || refuse 'too few arguments'
      enter "$1" "$2"
      shift 2
      ;;
  esac
  case $mode,$# in
    tools,0) tools ;;
    counts,0) cat /proc/net/netstat ;;
    watch,[5-9] | watch,??*) watch "$@" ;;
    ping,6) echo_requests "$@" ;;
    tcp,3) knock tcp "$@" 00 ;;
    udp,4) knock udp "$@" ;;
    *) refuse 'usage: tools | counts | watch ... | ping ... | tcp ... | udp ...' ;;
  esac
  exit "$status"
}

main "$@"; exit
