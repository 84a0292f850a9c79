"""The journal's disk: an NBD server over a Unix socket whose cache is as volatile as a real one's.

What the guest writes is lost with the power unless a flush came after it. A cut keeps a random part
of what was not flushed, in whole requests, because a disk may write its cache back in any order.
`honest=False` makes a disk that answers flushes without doing them: the control that shows that the
power-cut test can fail. It also counts what reaches it, which is the wear of a card.

Protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
"""

import os
import random
import socket
import struct
import threading

SECTOR = 512
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
EXPORT_NAME, ABORT, LIST, INFO, GO = 1, 2, 3, 6, 7
OPTION_MAGIC, REPLY_MAGIC = b"IHAVEOPT", 0x3E889045565A9
REQUEST_MAGIC, ANSWER_MAGIC = 0x25609513, 0x67446698
HAS_FLAGS_AND_FLUSH = 0b101


class Disk:
    """A raw image file served at a socket, until `cut` or `close`."""

    def __init__(self, image, path, honest=True):
        self.path = path
        self.honest = honest
        self.file = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.lock = threading.Lock()
        self.unflushed = []
        self.sectors = {}
        self.bytes_written = 0
        self.flushes = 0
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        threading.Thread(target=self._accept, daemon=True).start()

    def counters(self):
        """Bytes written and flushes so far."""
        with self.lock:
            return self.bytes_written, self.flushes

    def cut(self, chance=None):
        """The power goes: of the writes since the last flush only some have happened."""
        chance = chance or random.Random()
        share = chance.choice([0.0, chance.random()])
        with self.lock:
            kept = [write for write in self.unflushed if chance.random() < share]
            lost = len(self.unflushed) - len(kept)
            for offset, data in kept:
                os.pwrite(self.file, data, offset)
            self._forget()
        self._end()
        return len(kept), lost

    def close(self):
        """The power stays: everything is written."""
        with self.lock:
            self._settle()
        self._end()

    def _end(self):
        self.listener.close()
        os.close(self.file)
        self.file = None

    def _forget(self):
        self.unflushed.clear()
        self.sectors.clear()

    def _settle(self):
        for offset, data in self.unflushed:
            os.pwrite(self.file, data, offset)
        self._forget()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        stream = peer.makefile("rb")
        try:
            if self._agree(peer, stream):
                self._answer_requests(peer, stream)
        except (OSError, EOFError, struct.error):
            pass  # the guest was switched off
        finally:
            peer.close()

    def _agree(self, peer, stream):
        """Fixed newstyle negotiation, without zeroes."""
        peer.sendall(b"NBDMAGIC" + OPTION_MAGIC + struct.pack(">H", 0b11))
        stream.read(4)
        export = struct.pack(">QH", self.size, HAS_FLAGS_AND_FLUSH)
        while True:
            magic, option, length = struct.unpack(">8sII", stream.read(16))
            if magic != OPTION_MAGIC:
                raise EOFError
            stream.read(length)

            def reply(kind, data=b"", option=option):
                head = struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data))
                peer.sendall(head + data)

            if option == EXPORT_NAME:
                peer.sendall(export)
                return True
            if option in (INFO, GO):
                reply(3, struct.pack(">H", 0) + export)
                reply(1)
                if option == GO:
                    return True
            elif option == ABORT:
                reply(1)
                return False
            else:
                reply(2**31 + 1)

    def _answer_requests(self, peer, stream):
        while True:
            magic, _, kind, handle, offset, length = struct.unpack(">IHHQQI", stream.read(28))
            if magic != REQUEST_MAGIC or kind == DISCONNECT:
                return
            data = stream.read(length) if kind == WRITE else b""
            with self.lock:
                if self.file is None:
                    return
                found = self._perform(kind, offset, length, data)
            peer.sendall(struct.pack(">IIQ", ANSWER_MAGIC, 0 if found is not None else 22, handle))
            if found:
                peer.sendall(found)

    def _perform(self, kind, offset, length, data):
        if kind == READ:
            return self._read(offset, length)
        if kind == WRITE:
            self.unflushed.append((offset, data))
            for at in range(0, length, SECTOR):
                self.sectors[offset + at] = data[at : at + SECTOR]
            self.bytes_written += length
            return b""
        if kind == FLUSH:
            self.flushes += 1
            if self.honest:
                self._settle()
            return b""
        return None

    def _read(self, offset, length):
        found = bytearray(os.pread(self.file, length, offset))
        if self.sectors:
            for at in range(0, length, SECTOR):
                newer = self.sectors.get(offset + at)
                if newer is not None:
                    found[at : at + SECTOR] = newer
        return bytes(found)
