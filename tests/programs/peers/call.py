# SPDX-License-Identifier: GPL-2.0-or-later
"""A client out of Python's library.

    call.py ADDRESS PORT WHAT [CERTIFICATE]      with a certificate: over TLS

WHAT:
    keep-alive  http.client: two requests on one connection, then close()
    wait        http.client: a request, then nothing until the server has closed; then close()
    race        http.client: a request, and another as a server's idle timeout of a second comes to its end; close()
    line        asyncio: a line, its echo, what the server does then, close()
    unwrap      ssl: a request; close_notify, wait for the server's, close()
    shut        socket: a request, shutdown(SHUT_WR), the answer up to its end, close()
"""

import asyncio
import http.client
import socket
import ssl
import sys
import time

NAME = "server.test"
IDLE_S = 0.98   # a second, but for the way of the request, or of the FIN: 20 ms
SHORT_S = 0.1


def _context(files):
    return ssl.create_default_context(cafile=files[0]) if files else None


def _connection(address, port, context):
    """An HTTP connection to the address, by the server's name if over TLS."""
    end = socket.create_connection((address, port), timeout=8)
    if context:
        end = context.wrap_socket(end, server_hostname=NAME)
    connection = http.client.HTTPConnection(NAME)
    connection.sock = end
    return connection


def _get(connection):
    connection.request("GET", "/")
    connection.getresponse().read()


def call_keep_alive(*where):
    """Two requests."""
    connection = _connection(*where)
    for _ in range(2):
        _get(connection)
        time.sleep(SHORT_S)
    connection.close()


def call_wait(*where):
    """The server closes."""
    connection = _connection(*where)
    _get(connection)
    while connection.sock.recv(1):
        pass
    time.sleep(SHORT_S)
    connection.close()


def call_race(*where):
    """The second request crosses the server's FIN."""
    connection = _connection(*where)
    _get(connection)
    time.sleep(IDLE_S)
    try:
        _get(connection)
    except (http.client.RemoteDisconnected, ConnectionError):
        pass  # as expected
    connection.close()


def call_line(address, port, context):
    """Streams of asyncio."""
    async def run():
        reader, writer = await asyncio.open_connection(
            address, port, ssl=context, server_hostname=NAME if context else None)
        writer.write(b"hello\n")
        await reader.readline()
        await reader.read()
        writer.close()
        await writer.wait_closed()
    asyncio.run(run())


def call_unwrap(*where):
    """TLS closed both ways, then the connection."""
    connection = _connection(*where)
    _get(connection)
    connection.sock.unwrap().close()


def call_shut(address, port, _):
    """Half-closed."""
    with socket.create_connection((address, port), timeout=8) as end:
        end.sendall(f"GET / HTTP/1.0\r\nHost: {NAME}\r\n\r\n".encode())
        end.shutdown(socket.SHUT_WR)
        while end.recv(4096):
            pass


if __name__ == "__main__":
    _address, _port, _what, *_files = sys.argv[1:]
    globals()[f"call_{_what.replace('-', '_')}"](_address, int(_port), _context(_files))
