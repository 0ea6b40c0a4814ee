#!/bin/sh
# A home router without a box: a namespace of this machine with Linux's own NAT, and two cables to it (veth pairs).
# Their ends at this machine are called lan0 and wan0, as if they were Ethernet ports with the router's cables in them.
#
#   sh router.sh up             plugs the router in
#   sh router.sh ports 32       has it use that many external ports of each protocol, from 1024 on
#   sh router.sh closing 2      sets the seconds for which the port of a closed connection stays taken
#   sh router.sh down           takes the router away
set -eu

name=router

inside_it() { ip netns exec "$name" "$@"; }

use_ports() {
    inside_it nft -f - <<END
table ip home
delete table ip home
table ip home {
  chain leaving {
    type nat hook postrouting priority srcnat;
    oifname "wan" meta l4proto { tcp, udp, icmp } snat to 192.0.2.1:1024-$((1023 + $1))
  }
  chain passing {
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    ct status confirmed accept
    iifname "lan" oifname "wan" accept
  }
}
END
}

set_closing() {
    for state in time_wait last_ack close; do
        inside_it sysctl -qw "net.netfilter.nf_conntrack_tcp_timeout_$state=$1"
    done
}

case ${1-} in
    up)
        ip netns add "$name"
        for end in lan wan; do
            ip link add "${end}0" type veth peer name "$end" netns "$name"
            ip link set "${end}0" addrgenmode none up
            inside_it ip link set "$end" up
        done
        inside_it ip address add 10.0.255.254/16 dev lan
        inside_it ip address add 192.0.2.1/24 dev wan
        inside_it ip route add default via 192.0.2.254
        inside_it sysctl -qw net.ipv4.ip_forward=1 net.netfilter.nf_conntrack_tcp_loose=0
        use_ports 64512
        set_closing 2
        echo "The router's LAN port is at lan0, and its WAN port at wan0."
        ;;
    ports) use_ports "$2" ;;
    closing) set_closing "$2" ;;
    down)
        ip link del lan0
        ip link del wan0
        ip netns del "$name"
        ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
