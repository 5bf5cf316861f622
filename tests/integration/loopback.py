"""Connections of tests to servers on this machine, and to no other."""

import socket


def allow_this_machine(monkeypatch):
    """Make every connection an error except those to this machine, where the servers are."""
    connect = socket.socket.connect

    def refuse(self, address, *args):
        if self.family != socket.AF_UNIX and address[0] != "127.0.0.1":
            raise RuntimeError(f"a test tried to connect to {address}")
        return connect(self, address, *args)

    monkeypatch.setattr(socket.socket, "connect", refuse)
