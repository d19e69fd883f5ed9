"""Tools that operators point at a stats socket, one answer a line: tests/haproxy/tools.rs compares the lines.

tools.py haproxyadmin DIRECTORY     what scripts on the library haproxyadmin ask and change
tools.py ansible SOCKET             the conversation of Ansible's haproxy module
tools.py exporter SOCKET [URL]      the CSV as haproxy_exporter and check_haproxy read it
"""

import csv
import re
import socket
import sys
import time
import urllib.request

PATIENCE_S = 30


def say(what, answer):
    print(f"{what} = {answer!r}")


def ask(path, line):
    """One line on a new connection, and all that comes until the other side closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(PATIENCE_S)
        client.connect(path)
        client.sendall(line.encode() + b"\n")
        pieces = iter(lambda: client.recv(1024), b"")
        return b"".join(pieces).decode()


def rows(text):
    return csv.DictReader(text.lstrip("# ").splitlines())


# --- haproxyadmin


def attempt(what, action, *arguments):
    try:
        say(what, action(*arguments))
    except Exception as error:  # Which exception, and with what words, is an answer too.
        say(what, f"{type(error).__name__}: {error}")


def change(what, thing, name, value):
    attempt(what, lambda: setattr(thing, name, value))
    attempt(f"{what} then {name}", lambda: getattr(thing, name))


def haproxyadmin(directory):
    from haproxyadmin import haproxy

    process = haproxy.HAProxy(socket_dir=directory, retry=None, timeout=PATIENCE_S)
    read_everything(process)
    change_servers(process)
    change_frontend(process)
    change_lists(process)
    change_process(process)


def read_everything(process):
    import haproxyadmin

    for name in sorted(haproxyadmin.HAPROXY_METRICS):
        attempt(f"process: {name}", process.metric, name)
    for name in ["description", "nodename", "maxconn", "totalrequests", "requests", "processids"]:
        attempt(f"process: {name}", getattr, process, name)
    for name in ["ratelimitconn", "ratelimitsess", "ratelimitsslsess"]:
        attempt(f"process: {name}", getattr, process, name)
    kinds = [
        ("frontend", process.frontends(), haproxyadmin.FRONTEND_METRICS, ["iid", "status", "maxconn"]),
        ("backend", process.backends(), haproxyadmin.BACKEND_METRICS, ["iid", "status"]),
        ("server", process.servers(), haproxyadmin.SERVER_METRICS,
         ["sid", "status", "weight", "check_status", "check_code", "last_status", "last_agent_check", "address"]),
    ]
    for kind, things, metrics, properties in kinds:
        for thing in things:
            for name in ["requests", "process_nb", *properties]:
                attempt(f"{kind} {thing.name}: {name}", getattr, thing, name)
            for name in sorted(metrics):
                attempt(f"{kind} {thing.name}: {name}", thing.metric, name)
    attempt("no frontend", process.frontend, "nosuch")
    attempt("no backend", process.backend, "nosuch")
    attempt("no server", process.server, "nosuch")


def change_servers(process):
    import haproxyadmin

    server = process.server("s1", backend="b")[0]
    for state in [*haproxyadmin.VALID_STATES, "enable", "nosuch"]:
        attempt(f"setstate {state}", server.setstate, state)
        attempt(f"setstate {state} then status", lambda: server.status)
    for weight in [20, 0, "50%", "100%", 300, "bad", 1]:
        attempt(f"setweight {weight}", server.setweight, weight)
        attempt(f"setweight {weight} then weight", lambda: server.weight)
    change("address 127.0.0.2", server, "address", "127.0.0.2")
    change("address bad", server, "address", "bad")
    change("port 9", server, "port", 9)
    change("port bad", server, "port", "bad")
    attempt("shutdown", server.shutdown)


def change_frontend(process):
    frontend = process.frontend("f")
    for name in ["disable", "disable", "enable", "enable"]:
        attempt(f"frontend {name}", getattr(frontend, name))
        attempt(f"frontend {name} then status", lambda: frontend.status)
    attempt("frontend setmaxconn 7", frontend.setmaxconn, 7)
    attempt("frontend maxconn", lambda: frontend.maxconn)
    attempt("frontend shutdown", frontend.shutdown)


def change_lists(process):
    attempt("add_acl", process.add_acl, 0, "10.9.0.0/16")
    attempt("get_acl", process.get_acl, 0, "10.9.1.1")
    attempt("del_acl", process.del_acl, 0, "10.9.0.0/16")
    attempt("get_acl again", process.get_acl, 0, "10.9.1.1")
    attempt("clear_acl", process.clear_acl, 0)
    attempt("show_acl", process.show_acl, 0)
    for name, arguments in [("show_acl", [99]), ("add_acl", [99, "x"]), ("show_map", [99]),
                            ("add_map", [99, "k", "v"]), ("set_map", [99, "k", "v"]), ("get_map", [99, "k"]),
                            ("del_map", [99, "k"]), ("clear_map", [99])]:
        attempt(f"{name} of none", getattr(process, name), *arguments)


def change_process(process):
    for name, value in [("setmaxconn", 50), ("setmaxconn", 10**9), ("setratelimitconn", 7),
                        ("setratelimitsess", 8)]:
        attempt(f"{name} {value}", getattr(process, name), value)
    for name in ["maxconn", "ratelimitconn", "ratelimitsess"]:
        attempt(f"then {name}", getattr, process, name)
    attempt("clearcounters", process.clearcounters)
    attempt("clearcounters all", lambda: process.clearcounters(all=True))
    attempt("totalrequests cleared", lambda: process.totalrequests)
    attempt("command", process.command, "get weight b/s1")


# --- Ansible


def ansible(path):
    """Its module finds the version and the backends, changes a server, and polls until the state is there."""
    version = re.search(r"^Version: (\d+)\.(\d+)", ask(path, "show info"), re.MULTILINE)
    say("version allows to drain", tuple(map(int, version.groups())) >= (1, 5))
    say("backends", [row["pxname"] for row in rows(ask(path, "show stat")) if row["svname"] == "BACKEND"])
    sequences = [
        ("disabled", "get weight b/{0}; disable server b/{0}"),
        ("disabled with its sessions", "get weight b/{0}; disable server b/{0}; shutdown sessions server b/{0}"),
        ("enabled", "get weight b/{0}; enable server b/{0}"),
        ("enabled with health and weight",
         "get weight b/{0}; enable health b/{0}; enable server b/{0}; set weight b/{0} 9"),
        ("drained", "set server b/{0} state drain"),
        ("agent", "get weight b/{0}; enable agent b/{0}; disable agent b/{0}"),
        ("ready", "set server b/{0} state ready"),
        ("weight of the file", "set weight b/{0} 100%"),
    ]
    for server in ["s1", "s2", "nosuch"]:
        for name, line in sequences:
            say(f"{server} {name}", ask(path, line.format(server)).strip())
            row = server_row(path, server)
            deadline = time.monotonic() + PATIENCE_S
            while row and "shutdown" in line and row["scur"] != "0" and time.monotonic() < deadline:
                time.sleep(0.01)
                row = server_row(path, server)
            if row:
                say(f"{server} {name} status", row["status"].split(" ")[0])
                say(f"{server} {name} weight", row["weight"])
                say(f"{server} {name} scur", row["scur"])


def server_row(path, server):
    """What `show stat` says of a server of backend b."""
    found = [row for row in rows(ask(path, "show stat")) if (row["pxname"], row["svname"]) == ("b", server)]
    return found[0] if found else None


# --- exporters


def exporter(path, url=None):
    texts = [("socket", ask(path, "show stat"))]
    if url:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            say("content type", answer.headers.get_content_type())
            texts.append(("page", answer.read().decode()))
    for name, text in texts:
        header = text.splitlines()[0]
        say(f"{name} header", header[: header.index(",-") if ",-" in header else None].split(",")[:93])
        say(f"{name} ends with an empty line", text.endswith("\n\n"))
        for row in rows(text):
            if "pxname" in row and row["svname"]:
                for column, value in list(row.items())[:93]:
                    say(f"{name} {row['pxname']}/{row['svname']}: {column}", value)
        numbers = [row for row in csv.reader(text.splitlines()) if row and not row[0].startswith("#")]
        for row in numbers:
            # By position, as exporters and Nagios plugins read it: status, weight, type.
            say(f"{name} {row[0]} {row[1]} 17,18,32", [row[17].split(" ")[0], row[18], row[32]])
            say(f"{name} {row[0]} {row[1]} ends with a comma", row[-1] == "")
    exporter_of_info(path)


def exporter_of_info(path):
    """`Name: value` a line, as Telegraf, Datadog and Zabbix read it."""
    for line in ask(path, "show info").splitlines():
        if line:
            name, value = line.split(":", 1)
            say(f"info: {name}", value.strip())


if __name__ == "__main__":
    {"haproxyadmin": haproxyadmin, "ansible": ansible, "exporter": exporter}[sys.argv[1]](*sys.argv[2:])
