// SPDX-License-Identifier: BSD-3-Clause
// Why packets are dropped, and what else a worker counts. One list each makes the enum, the
// telemetry keys and the texts. Every frame that a worker took ends in exactly one counter of
// DP_DROPS or in one of the counters that are marked "end" in DP_COUNTS.
#pragma once

#include <stdint.h>

// name, text for people
#define DP_DROPS(X)                                                                                \
	X(own_echo, "our own transmission, delivered back by the port")                            \
	X(not_ours, "frame for the kernel, which has seen it already")                             \
	X(not_our_mac, "frame for another station")                                                \
	X(short_frame, "frame ends inside a header")                                               \
	X(bad_ip_header, "IP header is malformed")                                                 \
	X(bad_ip_checksum, "IPv4 header checksum is wrong")                                        \
	X(bad_udp_length, "UDP length doesn't fit the datagram")                                   \
	X(bad_udp_checksum, "UDP checksum of a control packet is wrong")                           \
	X(bad_source, "source address can't be a client")                                          \
	X(multi_segment, "frame in several buffers that doesn't fit one")                          \
	X(no_control, "no control process has configured this server yet")                         \
	X(frag_malformed, "fragment with impossible offset or length, or overlap")                 \
	X(frag_evicted, "unfinished datagram made room for a newer one")                           \
	X(frag_timeout, "datagram whose fragments did not all arrive")                             \
	X(empty_datagram, "UDP datagram without payload")                                          \
	X(bad_opcode, "first byte is no opcode that is in use")                                    \
	X(truncated, "data packet shorter than its headers and one byte")                          \
	X(packet_id_zero, "packet-id 0")                                                           \
	X(peer_id_range, "peer-id outside the table")                                              \
	X(no_session, "no live session of that peer-id or address")                                \
	X(unknown_sid, "reconfiguration Ping with unknown session id")                             \
	X(wrong_format, "data format is not the one negotiated")                                   \
	X(no_key, "no key with this key id")                                                       \
	X(bad_tag, "authentication failed at the known address")                                   \
	X(bad_tag_moved, "authentication failed from a new address")                               \
	X(bad_tag_reconf, "authentication failed on a reconfiguration Ping")                       \
	X(bad_padding, "authentic packet whose padding is wrong")                                  \
	X(bad_framing, "byte of compression framing that nobody defined")                          \
	X(compressed, "packet that is really compressed")                                          \
	X(bad_fragment, "fragment inside the encryption that fits no packet")                      \
	X(replay, "packet-id was seen before")                                                     \
	X(replay_old, "packet-id is older than the window")                                        \
	X(reconf_not_ping, "reconfiguration Ping that carries no Ping")                            \
	X(v1_unknown_source, "P_DATA_V1 from an address that isn't the session's")                 \
	X(mobility_off, "reconfiguration Ping while mobility is off")                              \
	X(budget_worker, "unproven packets beyond a worker's share")                               \
	X(budget_prefix, "unproven packets beyond a source prefix' share")                         \
	X(payload_unknown, "authentic payload that is no IP packet")                               \
	X(inner_bad_header, "inner IP header is malformed")                                        \
	X(inner_source, "inner source address isn't the session's")                                \
	X(inner_multicast, "inner multicast or broadcast")                                         \
	X(inner_link_local, "inner IPv6 that is for its own link alone")                           \
	X(inner_blocked, "inner IPv6 while block-ipv6 is set")                                     \
	X(inner_recursive, "inner packet to our own outer address and port")                       \
	X(inner_ttl, "inner packet at the end of its time to live")                                \
	X(inner_too_big, "inner packet too big and not to be fragmented")                          \
	X(inner_no_next_hop, "no MAC address to send an inner packet to")                          \
	X(inner_not_ip, "inner frame that is neither IP nor ARP")                                  \
	X(inner_no_session, "inner packet to an address that no session has")                      \
	X(no_tx_key, "session has no key to send with yet")                                        \
	X(no_peer, "peer of a static key was not heard yet")                                       \
	X(tx_id_exhausted, "all packet-ids of the sending key are used")                           \
	X(paused, "address was proven to be another session's")                                    \
	X(unconfirmed_move, "too much for an endpoint that is not confirmed yet")                  \
	X(outer_no_next_hop, "no MAC address to send an outer packet to")                          \
	X(stale_handoff, "session ended while a packet was handed over")                           \
	X(handoff_full, "hand-off ring is full")                                                   \
	X(handoff_budget, "unproven packets beyond their share of a hand-off ring")                \
	X(handoff_loop, "handed over too often")                                                   \
	X(punt_full, "ring to control is full")                                                    \
	X(punt_limit, "too many control packets from one source prefix")                           \
	X(punt_known_limit, "too many control packets of one session")                             \
	X(punt_too_long, "control packet longer than a ring element")                              \
	X(punt_malformed, "control packet without a session id")                                   \
	X(occ_limit, "too many OCC messages of one session")                                       \
	X(occ_malformed, "OCC message that is malformed or unexpected")                            \
	X(inject_invalid, "datagram from control that may not be sent")                            \
	X(kernel_ring_full, "ring to the main core is full")                                       \
	X(no_buffer, "out of packet buffers")                                                      \
	X(tx_full, "port took no more frames")                                                     \
	X(no_tx_queue, "no worker has a queue of that port")

enum dp_drop {
#define X(name, text) DP_DROP_##name,
	DP_DROPS(X)
#undef X
		DP_DROP_COUNT
};

// name, text for people. "end": the frame's life ends here.
#define DP_COUNTS(X)                                                                               \
	X(iterations, "turns of the loop")                                                         \
	X(busy_iterations, "turns that found work")                                                \
	X(busy_cycles, "TSC cycles that these turns took")                                         \
	X(outer_rx_packets, "frames received on the outer port")                                   \
	X(outer_rx_bytes, "their bytes")                                                           \
	X(inner_rx_packets, "frames received on the inner port")                                   \
	X(inner_rx_bytes, "their bytes")                                                           \
	X(outer_tx_packets, "frames sent on the outer port (end)")                                 \
	X(outer_tx_bytes, "their bytes")                                                           \
	X(inner_tx_packets, "frames sent on the inner port (end)")                                 \
	X(inner_tx_bytes, "their bytes")                                                           \
	X(decrypted, "packets that authenticated and passed the window")                           \
	X(encrypted, "packets encrypted")                                                          \
	X(pings_received, "keep-alive Pings received (end)")                                       \
	X(reconf_received, "reconfiguration Pings accepted (end)")                                 \
	X(occ_received, "OCC messages accepted (end)")                                             \
	X(pings_sent, "Pings made")                                                                \
	X(answers_sent, "Pings that answered a reconfiguration Ping")                              \
	X(handovers, "endpoint moves")                                                             \
	X(moves_old, "authentic packets from elsewhere that were not the newest")                  \
	X(moves_refused, "authentic packets from an address that may not be an endpoint")          \
	X(moves_limited, "authentic packets that did not move a session for its rate")             \
	X(owner_given, "sessions given to another worker")                                         \
	X(tx_owner_given, "sessions whose sending was given to another worker")                    \
	X(handoff_out, "packets handed to another worker")                                         \
	X(handoff_in, "packets taken from another worker")                                         \
	X(punted_new, "control packets that may open a session (end)")                             \
	X(punted_known, "control packets of known sessions (end)")                                 \
	X(injected, "datagrams sent for control")                                                  \
	X(commands, "commands executed")                                                           \
	X(commands_refused, "commands refused")                                                    \
	X(events_lost, "events that found the ring full")                                          \
	X(to_kernel, "frames given to the main core for the kernel (end)")                         \
	X(from_kernel, "frames sent for the kernel")                                               \
	X(arp_answered, "ARP requests answered (end)")                                             \
	X(nd_answered, "neighbour solicitations answered (end)")                                   \
	X(frags_received, "outer fragments received")                                              \
	X(frags_merged, "fragments that became part of a datagram (end)")                          \
	X(reassembled, "datagrams put together from fragments")                                    \
	X(frags_made, "fragments made, inner and outer")                                           \
	X(inner_frags_merged, "fragments inside the encryption, kept for their packet (end)")      \
	X(inner_frags_made, "fragments made inside the encryption")                                \
	X(mss_clamped, "TCP SYNs whose MSS was lowered")                                           \
	X(icmp_sent, "ICMP errors sent")                                                           \
	X(key_switches, "sending keys switched")                                                   \
	X(sweeps, "walks over the whole table")                                                    \
	X(sleeps, "times a worker slept")

enum dp_count {
#define X(name, text) DP_COUNT_##name,
	DP_COUNTS(X)
#undef X
		DP_COUNT_COUNT
};

// Names (telemetry keys) and texts, indexed by the enums.
extern const char *const dp_drop_name[DP_DROP_COUNT];
extern const char *const dp_drop_text[DP_DROP_COUNT];
extern const char *const dp_count_name[DP_COUNT_COUNT];
extern const char *const dp_count_text[DP_COUNT_COUNT];
