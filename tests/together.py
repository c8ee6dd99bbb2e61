# SPDX-License-Identifier: GPL-2.0-or-later
"""Several captures in one file: a start of tshark takes far longer than reading a capture."""

from tshark import run_tool

CLIENT_PORT = 40000  # of the client in nearly all captures of test-captures


def with_client_port(capture, port, path):
    """Write a copy of a capture in which the client's port is another; return its path."""
    path.write_bytes(capture.read_bytes().replace(CLIENT_PORT.to_bytes(2, "big"), port.to_bytes(2, "big")))
    return path


def together(captures, path):
    """Write a pcapng with the frames of captures, one capture after the other; return its path.

    The client has another port in each, so that each capture's connections stay apart.
    """
    parts = [with_client_port(capture, CLIENT_PORT + 100 * number, path.parent / f"{number}-{capture.name}")
             for number, capture in enumerate(captures)]
    run_tool("mergecap", "-a", "-F", "pcapng", "-w", path, *parts)
    for part in parts:
        part.unlink()
    return path
