# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""One RTP source to many viewers, beside Debian's janus 1.1.2.

Both servers get the same recorded VP8 over UDP and serve it to the same load client, which speaks
the Janus API, takes the same SRTP profile from both and reports by RTCP as browsers do. The server
is pinned to one core, client and feeder to the other. The packet rate is the recording's own, or
lower where Janus would need 0.7 of its core or more: that is found first, and printed. Runs
alternate; each figure is the median over the repeats.

  cpu_us_per_packet   processor time of the server process per packet that reached a viewer
  loss                share of the packets sent by the feeder that did not reach a viewer
  delay_p50_ms, p99   from the feeder's send call of a frame's last packet to its arrival at the
                      viewer's socket (kernel time stamp)
  rss_kb_per_viewer, threads_per_viewer   growth over the idle server
"""

import json
import subprocess
import urllib.request

import common
from common import BenchError, daemons, say

FIELDS = ("cpu_us_per_packet", "loss", "delay_p50_ms", "delay_p99_ms", "rss_kb_per_viewer",
          "threads_per_viewer")
JANUS_CORE_SHARE = 0.7   # Beyond it the figures show overload, not cost.
AIMED_CORE_SHARE = 0.6
CALIBRATION_ROUNDS = 5
ATTEMPTS = 3
CALIBRATION_SECONDS = 4
GUESSED_CPU_SECONDS_PER_PACKET = 35e-6  # Of Janus; only where the search begins.
LOWEST_RATE = 10.0  # Packets per second; below it there is nothing left to compare.


def add_options(parser) -> None:
    parser.add_argument("--peer", choices=["janus"], default="janus", help="whom to compare with")
    parser.add_argument("--viewers", type=int, default=30, metavar="N")
    parser.add_argument("--seconds", type=int, default=10, help="steady window of each run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each server")
    parser.add_argument("--rate", type=float, default=0, metavar="PPS",
                        help="packets per second of the source; 0 finds one")
    parser.add_argument("--only", choices=["sotto", "janus"], help="leave the other one out")


def mountpoint_toml(port: int) -> str:
    return f'''
[[mountpoints]]
id = "bench"
type = "rtp"
[[mountpoints.media]]
type = "video"
mid = "v"
port = {port}
pt = 96
codec = "vp8"
'''


def serve(kind: str, port: int):
    prefix = common.pinned(common.SERVER_CORE)
    if kind == "sotto":
        return common.Sotto(mountpoint_toml(port), prefix)
    media = {"type": "video", "mid": "v", "port": port, "pt": 96, "codec": "vp8"}
    return daemons.Janus([{"id": 1, "media": [media]}], prefix=prefix)


def mountpoint_number(url: str) -> int:
    """The servers choose their own numbers: ask."""
    def ask(path: str, **message) -> dict:
        request = urllib.request.Request(
            url + path, json.dumps({"transaction": "bench", **message}).encode(),
            {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    session = ask("", janus="create")["data"]["id"]
    handle = ask(f"/{session}", janus="attach", plugin="janus.plugin.streaming")["data"]["id"]
    listed = ask(f"/{session}/{handle}", janus="message", body={"request": "list"})
    ask(f"/{session}", janus="destroy")
    mountpoints = listed["plugindata"]["data"]["list"]
    if len(mountpoints) != 1:
        raise BenchError(f"expected one mountpoint, got {mountpoints}")
    return mountpoints[0]["id"]


def measure(kind: str, viewers: int, seconds: int, rate: float) -> dict:
    """One run; begun anew, and said so, when a viewer did not get in or got lost."""
    for attempt in range(1, ATTEMPTS + 1):
        run = measure_once(kind, viewers, seconds, rate)
        run["attempt"] = attempt
        if run["viewers"] == viewers:
            return run
        say(f"{kind}: only {run['viewers']} of {viewers} viewers saw frames")
    raise BenchError(f"{kind}: not all viewers got in, in {ATTEMPTS} attempts")


def measure_once(kind: str, viewers: int, seconds: int, rate: float) -> dict:
    port = common.free_udp_port()
    with serve(kind, port) as server, common.Feeder(port, rate) as feeder:
        command = [*common.pinned(common.CLIENT_CORE), str(common.BUILD / "bench/load_client"),
                   "--url", server.url, "--viewers", str(viewers), "--seconds", str(seconds),
                   "--mountpoint", str(mountpoint_number(server.url)), "--pid", str(server.pid)]
        client = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if not client.stdout.strip():
            raise BenchError(f"the load client gave up on {kind}")
        run = json.loads(client.stdout.splitlines()[-1])
        run["packets_per_second"] = feeder.facts["packets_per_second"]
    return run


def calibrate(viewers: int) -> tuple[float, list[dict]]:
    """The highest rate, up to the recording's own, at which Janus keeps below 0.7 of its core."""
    recorded = measure_recorded_rate()
    rate = min(recorded, AIMED_CORE_SHARE / GUESSED_CPU_SECONDS_PER_PACKET / viewers)
    tried = []
    for _ in range(CALIBRATION_ROUNDS):
        run = measure("janus", viewers, CALIBRATION_SECONDS, rate)
        tried.append({"rate": rate, "cpu_share": run["cpu_share"], "loss": run["loss"]})
        say(f"janus at {rate:.0f} packets/s to {viewers} viewers: {run['cpu_share']:.2f} of its "
            f"core, loss {run['loss']:.4f}")
        if run["cpu_share"] < JANUS_CORE_SHARE and run["loss"] == 0:
            return rate, tried
        lower = AIMED_CORE_SHARE / max(run["cpu_share"], JANUS_CORE_SHARE)
        rate = max(rate * lower, LOWEST_RATE)
    say("janus still loses packets or uses too much of its core; the figures show it overloaded")
    return rate, tried


def measure_recorded_rate() -> float:
    with common.Feeder(common.free_udp_port(), 0) as feeder:
        return feeder.facts["packets_per_second"]


def ratio(ours: float, theirs: float):
    return common.rounded(ours / theirs) if theirs else None


def table(rows: dict[str, dict], rate: float, viewers: int) -> str:
    names = list(rows)
    lines = [f"{viewers} viewers, {rate:.0f} packets/s each"]
    lines.append(f"{'':22}" + "".join(f"{n:>12}" for n in names))
    for field in FIELDS:
        cells = []
        for name in names:
            value = rows[name][field]
            cells.append(f"{'-' if value is None else format(value, '.4g'):>12}")
        lines.append(f"{field:22}" + "".join(cells))
    return "\n".join(lines)


def run(options) -> common.Outcome:
    kinds = [options.only] if options.only else ["janus", "sotto"]
    rate, calibration = options.rate, []
    if rate <= 0:
        if "janus" in kinds:
            rate, calibration = calibrate(options.viewers)
        else:
            rate = measure_recorded_rate()
    runs: dict[str, list[dict]] = {kind: [] for kind in kinds}
    for repeat in range(options.repeats):
        order = kinds if repeat % 2 == 0 else kinds[::-1]
        for kind in order:
            one = measure(kind, options.viewers, options.seconds, rate)
            runs[kind].append(one)
            say(f"{kind:6} run {repeat + 1}: {one['cpu_us_per_packet']:.1f} us/packet, "
                f"{one['cpu_share']:.2f} of its core, loss {one['loss']:.4f}, delay "
                f"{one['delay_p50_ms']:.1f} / {one['delay_p99_ms']:.1f} ms, client "
                f"{one['client_cpu_share']:.2f} of its core")
    rows = {kind: {f: common.rounded(common.median_of(each, f)) for f in FIELDS}
            for kind, each in runs.items()}
    if len(kinds) == 2:
        rows["ratio"] = {f: ratio(rows["sotto"][f], rows["janus"][f]) for f in FIELDS}
    result = {"viewers": options.viewers, "packets_per_second": common.rounded(rate), **rows}
    return common.Outcome(table(rows, rate, options.viewers), result,
                          {"calibration": calibration, "runs": runs})
