#!/usr/bin/env python3
"""HiveServer2 clients under the command of a test: impyla and PyHive, as their users run them.

Each line of input is a command, each line of output its answer.

  impyla PORT [ADDRESS]   connects, asks who answers, closes; from this source address if given
  pyhive PORT             the same with PyHive
  hold PORT               connects and asks, keeps the connection: "NUMBER NAME"
  release NUMBER          closes a held connection: "released"
  loop PORT               until input ends: connect, ask, close; a line "BEGIN END ok NAME" or
                          "BEGIN END failed WHY" for each query, times in seconds since 1970
"""

import select
import socket
import sys
import time

import impala.dbapi
from pyhive import hive

# Spark substitutes its own variable: the literal that comes back is the server's name.
QUESTION = "select '${spark.coord.name}'"
HOST = "127.0.0.1"


def ask(connection):
    cursor = connection.cursor()
    cursor.execute(QUESTION)
    name = cursor.fetchall()[0][0]
    cursor.close()
    return name


def connect_impyla(port):
    return impala.dbapi.connect(HOST, port, auth_mechanism="PLAIN", user="tester", password="x", timeout=240)


def connect_pyhive(port):
    return hive.connect(host=HOST, port=port, username="tester", auth="NONE")


def asked(connect, port):
    connection = connect(port)
    try:
        return ask(connection)
    finally:
        connection.close()


def from_address(address, port):
    """One impyla session whose socket is bound to `address`, as if another machine had sent it."""
    real = socket.socket.connect

    def bound(self, to):
        if self.family == socket.AF_INET:
            self.bind((address, 0))
        return real(self, to)

    socket.socket.connect = bound
    try:
        return asked(connect_impyla, port)
    finally:
        socket.socket.connect = real


def loop(port):
    while not select.select([sys.stdin], [], [], 0)[0]:
        begin = time.time()
        try:
            outcome = "ok " + asked(connect_impyla, port)
        except Exception as error:  # whatever a client may meet is what the test wants to know
            outcome = "failed %s %s" % (type(error).__name__, " ".join(str(error).split()))
        say("%.3f %.3f %s" % (begin, time.time(), outcome))


def say(text):
    print(text, flush=True)


def main():
    held = {}
    for line in sys.stdin:
        command, *words = line.split()
        try:
            if command == "impyla" and len(words) == 2:
                say(from_address(words[1], int(words[0])))
            elif command == "impyla":
                say(asked(connect_impyla, int(words[0])))
            elif command == "pyhive":
                say(asked(connect_pyhive, int(words[0])))
            elif command == "hold":
                number, connection = len(held), connect_impyla(int(words[0]))
                held[number] = connection
                say("%d %s" % (number, ask(connection)))
            elif command == "release":
                held[int(words[0])].close()
                say("released")
            elif command == "loop":
                loop(int(words[0]))
            else:
                sys.exit("unknown command: " + line)
        except Exception as error:
            say("failed %s %s" % (type(error).__name__, " ".join(str(error).split())))


main()
