"""A node's namespace with one of everything that iproute2 can put there, beyond what Calico does.

Its devices have no link-local addresses: those and their routes come at a moment of the kernel's own.
"""

from __future__ import annotations

import subprocess

from tests.nodes.script.namespaces import Node

_EVERYWHERE = """
link add cable0 type veth peer name cable1
link set cable0 addrgenmode none
link set cable0 up master br0
link add dull0 type veth peer name dull1
link set dull0 addrgenmode none
link set dull1 addrgenmode none
link set dull1 up
link set dull0 up
addr add 10.66.0.1/24 dev dull0
addr add 10.66.0.2/32 dev dull0 scope link
-6 addr add fd66::1/64 dev dull0 nodad
link set br0 alias a_name_of_its_own
route add 10.70.0.0/16 via 10.66.0.9 dev dull0 mtu lock 1400 advmss 1360 hoplimit 30 window 1000
route add 10.71.0.0/16 via 10.66.0.9 dev dull0 proto ra metric 7 realms 3/4
route add prohibit 10.72.0.0/16 metric 5
route add 10.73.0.0/16 tos 0x08 via 10.66.0.9 dev dull0
route add default via 10.66.0.9 dev dull0 table 4000000000 proto 201
route add 10.74.0.0/16 via 10.66.0.10 dev dull0 onlink rtt 40ms rto_min 1500ms congctl reno
route add multicast 239.1.0.0/16 dev dull0
route add unreachable default metric 4278198272
-6 route add fd70::/64 via fd66::9 dev dull0 metric 3 pref high proto static
-6 route add fd71::/64 via fe80::9 dev dull0 expires 3000
-6 route add unreachable fd72::/64 metric 9
-6 route add prohibit fd73::/64 table 7
-6 route add default via fd66::9 dev dull0 mtu 1300
rule add pref 200 fwmark 0x10 lookup 4000000000
rule add pref 201 fwmark 0x0/0xff lookup 7
rule add pref 202 uidrange 100-200 lookup 7
rule add pref 203 ipproto tcp dport 80 lookup 7
rule add pref 204 ipproto 132 sport 100-200 lookup 7
rule add pref 205 tos 0x10 lookup 7 realms 9
rule add pref 206 iif nothere0 prohibit
rule add pref 207 oif nothere1 lookup main suppress_ifgroup 5
rule add pref 208 goto 32766
rule add pref 209 goto 40000
rule add pref 210 nop
rule add pref 211 from 10.66.0.2 to 10.70.0.0/16 unreachable protocol bird
rule add pref 212 not to 10.66.0.2 lookup default
-6 rule add pref 300 from fd66::1 to fd70::/16 fwmark 7/0xf lookup 7
-6 rule add pref 301 iif dull0 blackhole
neigh add 10.66.0.9 dev dull0 lladdr 02:00:00:00:00:09 nud stale
neigh add 10.66.0.11 dev dull0 lladdr 02:00:00:00:00:0b nud permanent router
neigh add 10.66.0.12 dev dull0 lladdr 02:00:00:00:00:0c nud permanent extern_learn
neigh add 10.66.0.13 dev dull0 nud failed
neigh add 10.66.0.14 dev dull0 lladdr 02:00:00:00:00:0e nud noarp
-6 neigh add fd66::9 dev dull0 lladdr 02:00:00:00:00:09 nud permanent protocol bird
"""

_WHERE_THE_KERNEL_CAN = """
link add link dull0 name dull0.7 type vlan id 7
link add link dull0 name mac0 type macvlan mode bridge
link set dull0.7 up
link add dummy9 type dummy
link add tunl9 type ipip remote 10.66.0.9 local 10.66.0.1
link add sit9 type sit remote any local 10.66.0.1
link add gre9 type gre remote 10.66.0.9 local 10.66.0.1 dev dull0
link add six9 type ip6tnl remote fd66::9 local fd66::1
link add vx6 type vxlan id 9 local fd66::1 remote fd66::9 dstport 4790
link add vxgroup type vxlan id 10 group 239.1.1.1 dev dull0 dstport 4791
link add vxany type vxlan external dstport 4792
link add gen9 type geneve id 5 remote 10.66.0.9
link add wg9 type wireguard
link add vrf9 type vrf table 99
link set vrf9 up
nexthop add id 9 via 10.66.0.9 dev dull0
route add 10.80.0.0/16 nhid 9
nexthop add id 10 via 10.66.0.10 dev dull0
nexthop add id 11 group 9/10,3
route add 10.81.0.0/16 nhid 11
rule add pref 220 dport 443 ipproto udp lookup 7
"""

# A carrier that goes away leaves routes that say so.
_WITHOUT_CARRIER = """
link add gone0 type veth peer name gone1
link set gone0 addrgenmode none
link set gone1 addrgenmode none
link set gone0 up
link set gone1 up
addr add 10.67.0.1/24 dev gone0
route add 10.82.0.0/16 nexthop via 10.67.0.9 dev gone0 nexthop via 10.66.0.9 dev dull0 weight 2
link set gone1 down
"""


def dress(node: Node) -> None:
    """Put everything in; what this kernel has no module for is left out."""
    for line in _EVERYWHERE.strip().splitlines():
        node.ip(*line.split())
    for line in _WHERE_THE_KERNEL_CAN.strip().splitlines():
        subprocess.run(["ip", "-n", node.name, *line.split()], check=False, capture_output=True, timeout=60)
    for line in _WITHOUT_CARRIER.strip().splitlines():
        node.ip(*line.split())
