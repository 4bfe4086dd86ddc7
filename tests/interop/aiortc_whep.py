#!/usr/bin/python3
# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches with aiortc until enough different frames of one clip and a 440 Hz tone have come.

usage: aiortc_whep.py URL TOKEN CLIP
Prints "seen N frames" and "heard N Hz", and ends with 0.
"""
import asyncio
import sys

import numpy
from aiortc import RTCConfiguration, RTCPeerConnection

import picture
import wish

ENOUGH = 15
WINDOW = 48000 // 2  # Samples of half a second, which tell frequencies 2 Hz apart.
BOUND = 120  # Seconds for all of it.


async def see(track, clip):
    seen = []
    while len(seen) < ENOUGH:
        frame = await track.recv()
        mark = picture.read(frame.to_ndarray(format="gray"))
        if mark and mark[1] == clip and mark[0] not in seen:
            seen.append(mark[0])
    print(f"seen {len(seen)} frames", flush=True)


async def hear(track):
    wave = numpy.empty(0)
    while True:
        frame = await track.recv()
        samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels)).mean(axis=1)
        wave = numpy.concatenate([wave, samples])[-WINDOW:]
        if len(wave) < WINDOW:
            continue
        spectrum = numpy.abs(numpy.fft.rfft(wave * numpy.hanning(WINDOW)))
        loudest = int(spectrum[20:].argmax()) + 20
        hertz = loudest * frame.sample_rate / WINDOW
        if abs(hertz - 440) < 10 and spectrum[loudest] > 1e5:
            print(f"heard {hertz:.0f} Hz", flush=True)
            return


async def main():
    url, token, clip = sys.argv[1], sys.argv[2], int(sys.argv[3])
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    tasks = []

    @peer.on("track")
    def arrived(track):
        tasks.append(asyncio.ensure_future(see(track, clip) if track.kind == "video" else hear(track)))

    session = await wish.connect(peer, url, token)
    assert len(tasks) == 2, f"{len(tasks)} tracks were answered"
    await asyncio.wait_for(asyncio.gather(*tasks), BOUND)
    await wish.end(peer, session, token)


asyncio.run(main())
