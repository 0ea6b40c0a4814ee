"""What a hello names: the client by its nonce, and the server by its token."""

from __future__ import annotations

from testbed.traffic.wire import HELLO, MARK, mark_of, nonce_of, token_of


def test_a_nonce_names_its_client_and_a_token_its_server() -> None:
    """Both are where a filter looks for them, and the rest is the attempt's own."""
    alice, number = "/proc/4711/fd/12", 0xFFFF_FFFE
    hello = HELLO.pack(nonce_of(alice, number), token_of(("198.51.100.1", 7), 0xABCD_EF01))

    assert hello[:2] == MARK.to_bytes(2, "big")
    assert hello[2:4] == mark_of(alice).to_bytes(2, "big")
    assert hello[4:8] == number.to_bytes(4, "big")
    assert hello[8:12] == bytes([198, 51, 100, 1])
    assert hello[12:] == bytes.fromhex("abcdef01")
    assert mark_of(alice) != mark_of("/proc/4711/fd/13")
