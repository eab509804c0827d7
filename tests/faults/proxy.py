"""A TCP proxy that cuts, freezes or slows a connection at a byte of one's choice."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

PIECE = 16_384


@dataclass
class Proxy:
    """Forwards 127.0.0.1:`port` to the server. `cut_after`: bytes from the client until both sides are reset; None: never."""

    server: tuple[str, int]
    cut_after: int | None = None
    #: Bytes from the client until nothing is forwarded any more, and both sides stay open; None: never.
    freeze_after: int | None = None
    #: Connections that were cut.
    cuts: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            self._open += [client, server]
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        passed = 0
        try:
            while data := source.recv(PIECE):
                passed += len(data)
                if counts and self.cut_after is not None and passed >= self.cut_after:
                    sink.sendall(data[: len(data) // 2])
                    self.cuts += 1
                    reset(source)
                    reset(sink)
                    return
                if counts and self.freeze_after is not None and passed > self.freeze_after:
                    continue
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, sink):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._open):
            each.close()


def reset(each: socket.socket) -> None:
    """Close it so that the other side gets a reset, not an orderly end."""
    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    each.shutdown(socket.SHUT_RD)
    each.close()


@contextlib.contextmanager
def proxy_to(host: str, port: int) -> Iterator[Proxy]:
    made = Proxy((host, port))
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join(10)
