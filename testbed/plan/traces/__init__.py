"""Traces: what hosts really did, as attempts for a plan.

    record       an attempt as a trace has it, and which attempts are a NAT's business
    zeek         `conn.log` of Zeek, with tabs or as JSON
    conntrack    events of Linux's connection tracking: `conntrack -E -o timestamp`
    pcap         packets, in a pcap or pcapng file
    recording    a run of lastport itself
    reading      the reader that fits a file

A file that is none of these, or is damaged, is refused with the line or the packet and the reason.
"""
