"""WebSockets of both roles on asyncio's protocols: cheap enough for thousands at once, and able to end in every wrong way."""
import asyncio
import base64
import hashlib
import json
import os
import socket
import struct

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HEAD_BYTES_MAX = 64 << 10
MESSAGE_BYTES_MAX = 64 << 20


def _masked(payload, mask):
    if mask == b"\0\0\0\0" or not payload:
        return payload
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


class Socket(asyncio.Protocol):
    """One WebSocket. A subclass gives on_open(), on_text(str), on_binary(bytes) and on_end()."""

    is_client = False

    def __init__(self):
        self.transport = None
        self.open = False         # the upgrade is done and neither side has closed
        self.gone = False         # the TCP connection is over
        self.deaf = False         # neither reads nor answers, but stays
        self.close_code = None    # the peer's, or 1006 without one
        self.close_reason = ""
        self.head = None          # the first line and the headers of the other side
        self.refusal = None       # client: status and body when the upgrade was refused
        self._in = bytearray()
        self._parts = []
        self._parts_kind = None
        self._close_sent = False

    # --- what a subclass says

    def on_open(self):
        pass

    def on_text(self, text):
        pass

    def on_binary(self, payload):
        pass

    def on_end(self):
        pass

    # --- asyncio's side

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=32 << 20)
        plain = transport.get_extra_info("socket")
        if plain is not None and plain.family in (socket.AF_INET, socket.AF_INET6):
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.is_client:
            transport.write(self.request())

    def data_received(self, data):
        if self.deaf:
            return
        self._in += data
        if self.head is None and not self._take_head():
            return
        if self.refusal is None:
            self._take_frames()
        elif len(self._in) >= int(self.head[1].get("content-length", 0)):
            self.transport.close()

    def eof_received(self):
        return False

    def connection_lost(self, error):
        self.gone, self.open = True, False
        if self.close_code is None:
            self.close_code = 1006
        if self.refusal is not None:
            self.refusal = (self.refusal[0], bytes(self._in))
        self.on_end()

    # --- the upgrade

    def _take_head(self):
        end = self._in.find(b"\r\n\r\n")
        if end < 0:
            assert len(self._in) < HEAD_BYTES_MAX, "a header without an end"
            return False
        first, *lines = bytes(self._in[:end]).decode("latin-1").split("\r\n")
        del self._in[:end + 4]
        self.head = (first, {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)})
        if self.is_client:
            status = int(first.split()[1])
            if status != 101:
                self.refusal = (status, b"")
                return True
        else:
            key = self.head[1].get("sec-websocket-key", "").encode()
            accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
            self.transport.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        self.open = True
        self.on_open()
        return True

    # --- frames

    def _take_frames(self):
        data, at = self._in, 0
        while not self.deaf and len(data) - at >= 2:
            first, second = data[at], data[at + 1]
            length, begin = second & 0x7F, at + 2
            if length == 126:
                if len(data) < begin + 2:
                    break
                length, begin = int.from_bytes(data[begin:begin + 2], "big"), begin + 2
            elif length == 127:
                if len(data) < begin + 8:
                    break
                length, begin = int.from_bytes(data[begin:begin + 8], "big"), begin + 8
            assert length <= MESSAGE_BYTES_MAX, "an absurdly long frame"
            mask = b"\0\0\0\0"
            if second & 0x80:
                mask, begin = bytes(data[begin:begin + 4]), begin + 4
            if len(data) < begin + length:
                break
            payload = _masked(bytes(data[begin:begin + length]), mask)
            at = begin + length
            self._take_frame(first & 0x0F, first & 0x80, payload)
            if self.gone:
                break
        del data[:at]

    def _take_frame(self, kind, last, payload):
        if kind == PING:
            self._send(PONG, payload)
        elif kind == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            self.close_reason = payload[2:].decode("utf-8", "replace")
            self.close(self.close_code if self.close_code != 1005 else 1000)
            if not self.is_client:
                self.transport.close()
        elif kind in (TEXT, BINARY, CONTINUATION):
            if kind != CONTINUATION:
                self._parts, self._parts_kind = [], kind
            self._parts.append(payload)
            if last:
                whole, self._parts = b"".join(self._parts), []
                if self._parts_kind == TEXT:
                    self.on_text(whole.decode())
                else:
                    self.on_binary(whole)

    def _send(self, kind, payload):
        if self.gone or self.transport.is_closing() or self._close_sent:
            return
        length = len(payload)
        bit = 0x80 if self.is_client else 0
        if length < 126:
            head = bytes((0x80 | kind, bit | length))
        elif length < 65536:
            head = struct.pack(">BBH", 0x80 | kind, bit | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | kind, bit | 127, length)
        # A mask of zeros is a mask.
        self.transport.write(head + (b"\0\0\0\0" if self.is_client else b"") + payload)

    def send_text(self, text):
        self._send(TEXT, text.encode())

    def send_event(self, event):
        self._send(TEXT, json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode())

    def send_binary(self, payload):
        self._send(BINARY, payload)

    # --- ends, in order and otherwise

    def close(self, code=1000, reason=""):
        self.open = False
        self._send(CLOSE, struct.pack(">H", code) + reason.encode())
        self._close_sent = True

    def reset(self):
        """RST: what the peer has not read is lost."""
        if self.gone:
            return
        self.open = False
        plain = self.transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def half_close(self):
        """FIN without a word, beneath TLS too; what comes is still read, and answered by nobody."""
        if self.gone:
            return
        self.open = False
        self._close_sent = True
        self.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)

    def hang(self):
        """Says nothing any more and reads nothing, but stays connected."""
        self.deaf = True
        self._close_sent = True
        self.transport.pause_reading()


class ClientSocket(Socket):
    """A client's end; `path` with its query."""

    is_client = True

    def __init__(self, host, path, headers=()):
        super().__init__()
        self.host, self.path, self.headers = host, path, headers

    def request(self):
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {self.host}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}", *self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()
