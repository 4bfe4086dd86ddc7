#!/usr/bin/env python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's janus and coturn for one test or benchmark: free ports, a folder of their own, no trace.

From Python:   with Janus(mountpoints=[...]) as janus: ... janus.url ...
From anything: a program that starts `daemons.py janus` reads one line of JSON from it (the ports)
               and closes its standard input when it is done.
"""

import argparse
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DAEMON = ROOT / "scripts/daemon"
START_SECONDS = 30
STOP_SECONDS = 10
START_ATTEMPTS = 5  # A free port may be taken between our look and the daemon's.


class DaemonError(Exception):
    """The daemon could not be started; the message carries the end of its log."""


def free_ports(count: int, kind=socket.SOCK_STREAM, address: str = "127.0.0.1") -> list[int]:
    sockets = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
    try:
        for each in sockets:
            each.bind((address, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def host_address() -> str:
    """An IPv4 address of this machine that is not loopback: Janus gathers no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # Asks the routing table; sends nothing.
            return probe.getsockname()[0]
        except OSError as error:
            raise DaemonError("this machine has no IPv4 address beside loopback, "
                              "and janus gathers no loopback candidates") from error


class Daemon:
    name = ""

    def __init__(self, prefix: tuple[str, ...] = ()):
        self.prefix = prefix  # Such as ("taskset", "-c", "0").
        self.process: subprocess.Popen | None = None
        self.folder: pathlib.Path | None = None

    # What each daemon knows of itself.
    def configure(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def describe(self) -> dict:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def start(self):
        subprocess.run([DAEMON, "fetch", self.name], check=True)
        for _ in range(START_ATTEMPTS):
            if self._start_once():
                return self
            last_log = self.log()
            self.stop()
        raise DaemonError(f"{self.name} did not start:\n{last_log}")

    def _start_once(self) -> bool:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"sotto-{self.name}-"))
        arguments = self.configure()
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [*self.prefix, str(DAEMON), "exec", self.name, "--", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.ready():
                return True
            time.sleep(0.05)  # Neither daemon announces its readiness: ask again.
        return False

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.process = self.folder = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Janus(Daemon):
    """mountpoints: [{"id": 1, "media": [{"type", "mid", "port", "pt", "codec"}]}], for streaming."""
    name = "janus"

    def __init__(self, mountpoints=(), rooms=(), prefix=(), event_loops=0, api_secret=""):
        super().__init__(prefix)
        self.mountpoints, self.rooms = list(mountpoints), list(rooms)
        self.event_loops, self.api_secret = event_loops, api_secret

    def configure(self) -> list[str]:
        self.address = host_address()
        self.http, self.ws, self.admin = free_ports(3)
        libraries = next(
            (ROOT / "build/daemons/janus/usr/lib").glob("*-linux-*/janus"))
        loops = f"event_loops = {self.event_loops}" if self.event_loops else ""
        secret = f'api_secret = "{self.api_secret}"' if self.api_secret else ""
        conf = self.folder
        (conf / "janus.jcfg").write_text(f'''
general: {{
  configs_folder = "{conf}"
  plugins_folder = "{libraries}/plugins"
  transports_folder = "{libraries}/transports"
  events_folder = "{libraries}/events"
  loggers_folder = "{libraries}/loggers"
  debug_level = 3
  admin_secret = "admin"
  {loops}
  {secret}
}}
media: {{ ipv6 = false, rtp_port_range = "20000-29999", slowlink_threshold = 0 }}
nat: {{ full_trickle = true, ice_lite = false, ice_enforce_list = "{self.address}", ignore_mdns = true }}
plugins: {{ disable = "libjanus_duktape.so,libjanus_lua.so,libjanus_nosip.so,libjanus_sip.so,libjanus_voicemail.so" }}
transports: {{ disable = "libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }}
events: {{ broadcast = false }}
''')
        (conf / "janus.transport.http.jcfg").write_text(f'''
general: {{ json = "compact", base_path = "/janus", http = true, port = {self.http}, ip = "127.0.0.1", https = false }}
admin: {{ admin_base_path = "/admin", admin_http = true, admin_port = {self.admin}, admin_ip = "127.0.0.1", admin_https = false }}
''')
        (conf / "janus.transport.websockets.jcfg").write_text(f'''
general: {{ json = "compact", ws = true, ws_port = {self.ws}, ws_ip = "127.0.0.1", wss = false }}
admin: {{ admin_ws = false }}
''')
        (conf / "janus.plugin.streaming.jcfg").write_text(
            'general: { rtp_port_range = "30000-30999", events = false }\n'
            + "".join(self._mountpoint(m) for m in self.mountpoints))
        (conf / "janus.plugin.recordplay.jcfg").write_text(
            f'general: {{ path = "{conf}/recordings" }}\n')
        (conf / "janus.plugin.videoroom.jcfg").write_text(
            "general: { string_ids = false }\n" + "".join(
                f'room-{room}: {{ description = "test", publishers = 100, bitrate = 4000000, '
                f'fir_freq = 10, audiocodec = "opus", videocodec = "vp8,h264" }}\n'
                for room in self.rooms))
        return ["--disable-colors", "-F", str(conf)]

    @staticmethod
    def _mountpoint(mountpoint) -> str:
        media = ", ".join(
            f'{{ type = "{m["type"]}", mid = "{m["mid"]}", label = "{m["mid"]}", '
            f'port = {m["port"]}, pt = {m["pt"]}, codec = "{m["codec"]}", iface = "127.0.0.1" }}'
            for m in mountpoint["media"])
        number = mountpoint["id"]
        return (f'mount{number}: {{ type = "rtp", id = {number}, description = "mount {number}", '
                f'threads = {mountpoint.get("threads", 0)}, media = ( {media} ) }}\n')

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}/janus"

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "/info", timeout=2) as answer:
                return json.load(answer).get("janus") == "server_info"
        except (OSError, ValueError):
            return False

    def describe(self) -> dict:
        return {"pid": self.pid, "url": self.url, "ws": f"ws://127.0.0.1:{self.ws}/",
                "admin": f"http://127.0.0.1:{self.admin}/admin", "address": self.address}


class Coturn(Daemon):
    """A TURN server on 127.0.0.1 with time-limited credentials (the secret is `secret`)."""
    name = "coturn"

    def __init__(self, secret="sotto-test-secret", realm="sotto.test", prefix=()):
        super().__init__(prefix)
        self.secret, self.realm = secret, realm

    def configure(self) -> list[str]:
        (self.port,) = free_ports(1)
        # The secret is in a file: arguments can be read by everybody on the machine.
        (self.folder / "turnserver.conf").write_text(f'''
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={self.port}
min-port=50000
max-port=50999
use-auth-secret
static-auth-secret={self.secret}
realm={self.realm}
allow-loopback-peers
cli-password=unused-{self.port}
no-cli
no-tls
no-dtls
log-file=stdout
simple-log
pidfile={self.folder}/pid
userdb={self.folder}/turndb
''')
        return ["-c", str(self.folder / "turnserver.conf")]

    def ready(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.connect(("127.0.0.1", self.port))
            request = bytes.fromhex("000100002112a442") + b"sotto-probe-"  # STUN Binding.
            try:
                probe.send(request)
                return probe.recv(1500)[:2] == b"\x01\x01"
            except OSError:
                return False

    def describe(self) -> dict:
        return {"pid": self.pid, "port": self.port, "url": f"turn:127.0.0.1:{self.port}",
                "secret": self.secret, "realm": self.realm}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["janus", "coturn"])
    parser.add_argument("--mountpoint", action="append", default=[], type=json.loads,
                        metavar="JSON", help="one of janus' streaming mountpoints")
    parser.add_argument("--room", action="append", default=[], type=int,
                        help="one of janus' video rooms")
    parser.add_argument("--api-secret", default="", help="of janus")
    options = parser.parse_args()
    if options.name == "janus":
        daemon = Janus(options.mountpoint, options.room, api_secret=options.api_secret)
    else:
        daemon = Coturn()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with daemon:
        print(json.dumps(daemon.describe()), flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DaemonError as error:
        sys.exit(str(error))
