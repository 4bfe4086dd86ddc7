# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the request to the first decoded picture, one viewer after the other.

The recorded stream (a keyframe every two seconds) runs into a mountpoint; a webrtcbin with a
decoder joins it by WHEP. The time begins with the POST and ends with the first picture out of the
decoder, so it holds signaling, ICE, DTLS, the wait for a keyframe, the client's jitter buffer and
decoding.
"""

import json
import os
import subprocess

import common
from common import BenchError
from fanout import mountpoint_toml


def add_options(parser) -> None:
    parser.add_argument("--count", type=int, default=50, help="joins")


def run(options) -> common.Outcome:
    port = common.free_udp_port()
    with common.Sotto(mountpoint_toml(port)) as server, common.Feeder(port, 0):
        command = [str(common.BUILD / "bench/join_client"), "--url",
                   f"{server.http_url}/whep/bench", "--count", str(options.count)]
        environment = dict(os.environ, SOTTO_TOKEN=server.admin_token())
        client = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    joins = [json.loads(line) for line in client.stdout.splitlines()]
    if not joins:
        raise BenchError("not one join succeeded")
    first = [join["first_picture_ms"] for join in joins]
    answer = [join["answer_ms"] for join in joins]
    result = {"sotto": {
        "joins": len(joins),
        "failures": options.count - len(joins),
        "answer_p50_ms": common.rounded(common.percentile(answer, 0.5)),
        "answer_p99_ms": common.rounded(common.percentile(answer, 0.99)),
        "first_picture_p50_ms": common.rounded(common.percentile(first, 0.5)),
        "first_picture_p99_ms": common.rounded(common.percentile(first, 0.99)),
    }}
    return common.Outcome(common.listing(result["sotto"]), result, {"joins": joins})
