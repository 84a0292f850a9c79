"""The lamp, read from outside: the levels of the emulated GPIO chip, with the host's times.

QEMU's qtest socket reports each change of an output of the intercepted device as `IRQ raise N` or
`IRQ lower N`, N counting the chip's lines (https://www.qemu.org/docs/master/devel/testing/qtest.html).
"""

import socket
import threading
import time

# A short flash is lit for 0.15 s, an even blink for 1 s.
SHORT = 0.5
# Between the flashes of a group 0.4 s begin to begin, between groups at least 1.6 s.
WITHIN_GROUP = 1.0


class Lamp:
    """The changes of one line of the chip, from now on."""

    def __init__(self, path, device, line):
        self.line = line
        self.lit = None
        self.changes = []
        self.peer = socket.socket(socket.AF_UNIX)
        self.peer.connect(path)
        self.peer.sendall(f"irq_intercept_out {device}\n".encode())
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for text in self.peer.makefile():
            words = text.split()
            if len(words) == 3 and words[0] == "IRQ" and int(words[2]) == self.line:
                self.lit = words[1] == "raise"
                self.changes.append((time.monotonic(), self.lit))

    def flashes_since(self, began):
        """When short flashes began, after `began`."""
        changes = [change for change in list(self.changes) if change[0] >= began]
        pairs = zip(changes, changes[1:], strict=False)
        return [on[0] for on, off in pairs if on[1] and not off[1] and off[0] - on[0] < SHORT]

    def until(self, wanted, patience=60):
        """Waits until three groups in a row have `wanted` short flashes; the seconds that it took."""
        began = time.monotonic()
        while time.monotonic() < began + patience:
            time.sleep(0.5)
            if group(self.flashes_since(began))[-3:] == [wanted] * 3:
                return time.monotonic() - began
        seen = group(self.flashes_since(began))
        raise AssertionError(f"not {wanted} flashes a group within {patience} s, but {seen}")

    def stands_still(self, span):
        """Whether it does not change for so long, and how it stands."""
        began = time.monotonic()
        time.sleep(span)
        still = not any(at >= began for at, _ in list(self.changes))
        return still, self.lit


def group(flashes):
    """The sizes of the groups; the first and the last are left out, they may be cut."""
    sizes = []
    last = None
    for at in flashes:
        if last is not None and at - last < WITHIN_GROUP:
            sizes[-1] += 1
        else:
            sizes.append(1)
        last = at
    return sizes[1:-1]
