# SPDX-License-Identifier: GPL-2.0-or-later
"""A server out of Python's library.

    serve.py ADDRESS PORT http|asyncio|unwrap|linger|unread [CERTIFICATE KEY]      with a certificate: over TLS

http: HTTP/1.1 by http.server, one thread for each connection. Paths:
    /           a short answer
    /chunked    in chunks
    /slow       silent for long
    /drip       a chunk every 20 ms for long
    /close      the answer says "Connection: close"
asyncio: an echo of one line, then close().
unwrap: an answer to anything; once the client's close_notify has come, its own, and close().
unread: an answer to anything, of which only an octet is read, then close().
linger: half an answer to anything, then close() with SO_LINGER of 0 s.
"""

import asyncio
import http.server
import socket
import ssl
import struct
import sys
import time

LONG_S = 1.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """What each path gives."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing is logged."""

    def do_GET(self):
        """Answer by path."""
        if self.path == "/slow":
            time.sleep(LONG_S)
        self.send_response(200)
        if self.path in ("/chunked", "/drip"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(3 if self.path == "/chunked" else int(LONG_S / 0.02)):
                self.wfile.write(b"5\r\nhello\r\n")
                time.sleep(0.02)
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", "6")
        if self.path == "/close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"hello\n")

    def do_POST(self):
        """Read all, and answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


class Server(http.server.ThreadingHTTPServer):
    """Does not look up its own name."""
    daemon_threads = True

    def server_bind(self):
        http.server.socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "server.test", self.server_address[1]

    def handle_error(self, *_):
        """A client that aborts is no news."""


def _context(files):
    if not files:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


def serve_http(address, port, context):
    """http.server."""
    Server.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = Server((address, port), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


def serve_asyncio(address, port, context):
    """Streams of asyncio."""
    async def talk(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        try:
            await writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass

    async def run():
        server = await asyncio.start_server(talk, address, port, ssl=context)
        await server.serve_forever()
    asyncio.run(run())


def serve_unwrap(address, port, context):
    """Sockets that close TLS first."""
    listener = context.wrap_socket(socket.create_server((address, port)), server_side=True)
    while True:
        end, _ = listener.accept()
        while end.recv(4096):
            end.sendall(ANSWER)
        end.unwrap().close()


def serve_linger(address, port, _):
    """Sockets that abort."""
    listener = socket.create_server((address, port))
    while True:
        end, _ = listener.accept()
        end.recv(4096)
        end.sendall(ANSWER[:-1])
        time.sleep(0.2)  # so that all has arrived
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()


def serve_unread(address, port, _):
    """Sockets closed with data unread."""
    listener = socket.create_server((address, port))
    while True:
        end, _ = listener.accept()
        end.recv(1)
        time.sleep(0.2)  # so that all has arrived
        end.sendall(ANSWER)
        end.close()


if __name__ == "__main__":
    _address, _port, _what, *_files = sys.argv[1:]
    globals()[f"serve_{_what}"](_address, int(_port), _context(_files))
