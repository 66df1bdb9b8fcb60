"""The disk as a power cut could leave it, from a record of every write and flush (`recording_writes.c`)."""

import os
import struct

HEAD = struct.Struct("<cHQI")
SECTOR = 512


class Disk:
    """What files hold for certain, and what was written since their last flush."""

    def __init__(self):
        self.certain = {}
        self.pending = {}

    def write(self, name, offset, data, number):
        self.pending.setdefault(name, []).append((offset, data, number))

    def flush(self, name, before):
        """The flush began when there were `before` records: what was written later is as uncertain as it was."""
        later = []
        for offset, data, number in self.pending.pop(name, []):
            if number < before:
                put(self.certain.setdefault(name, bytearray()), offset, data)
            else:
                later.append((offset, data, number))
        self.pending[name] = later

    def cut(self, directory, random, survive):
        """Lays the files into `directory`: of what was not flushed each sector survives with a chance of `survive`."""
        for name in self.certain.keys() | self.pending.keys():
            content = bytearray(self.certain.get(name, b""))
            for offset, data, _ in self.pending.get(name, []):
                for start in range(0, len(data), SECTOR):
                    if random.random() < survive:
                        put(content, offset + start, data[start:start + SECTOR])
            with open(os.path.join(directory, os.path.basename(name)), "wb") as file:
                file.write(content)


def put(content, offset, data):
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(data)] = data


def records(path):
    """(kind, name, offset, data) of each record, in order."""
    with open(path, "rb") as file:
        while head := file.read(HEAD.size):
            kind, name_size, offset, size = HEAD.unpack(head)
            name = file.read(name_size).decode()
            yield kind.decode(), name, offset, file.read(size)


def images(path, moments):
    """For each of the rising `moments` (numbers of records): the disk then, and the bytes each socket had got."""
    disk, sent, wanted = Disk(), {}, iter(moments)
    moment = next(wanted, None)
    for number, (kind, name, offset, data) in enumerate(records(path)):
        if number == moment:
            yield disk, sent
            moment = next(wanted, None)
        if kind == "s":
            sent[name] = sent.get(name, 0) + len(data)
        elif kind == "f":
            disk.flush(name, offset)
        else:
            disk.write(name, offset, data, number)
            if kind == "d":
                disk.flush(name, number + 1)
