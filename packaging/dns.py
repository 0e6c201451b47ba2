"""A name server for packaging/try.sh: answers 127.0.0.1 for one name, and that there is no other. Never for real use."""

import socket
import sys

known = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[1].split(".")) + b"\0"
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    query, client = server.recvfrom(512)
    end = query.index(b"\0", 12) + 5
    name, kind = query[12 : end - 4], query[end - 4 : end - 2]
    found = name.lower() == known
    address = b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x7f\0\0\x01" if found and kind == b"\0\x01" else b""
    flags = b"\x81\x80" if found else b"\x81\x83"
    counts = b"\0\x01" + (b"\0\x01" if address else b"\0\0") + b"\0\0\0\0"
    server.sendto(query[:2] + flags + counts + query[12:end] + address, client)
