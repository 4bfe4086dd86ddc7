# SPDX-FileCopyrightText: The sotto authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""WHIP and WHEP signalling for aiortc: one POST, one DELETE, all candidates in the offer."""
import asyncio
import urllib.error
import urllib.parse
import urllib.request

from aiortc import RTCSessionDescription

TIMEOUT = 60  # Seconds for one request.


def request(method, url, token, body=None):
    asked = urllib.request.Request(url, method=method, data=body and body.encode(), headers={
        "Authorization": f"Bearer {token}", "Content-Type": "application/sdp"})
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
            return answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {url}: {error.code} {error.read().decode()}") from error


async def connect(peer, url, token):
    """Offers, and applies the answer. Gives the session's address, for DELETE."""
    await peer.setLocalDescription(await peer.createOffer())
    headers, answer = await asyncio.to_thread(request, "POST", url, token, peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(type="answer", sdp=answer))
    return urllib.parse.urljoin(url, headers["Location"])


async def end(peer, session, token):
    await asyncio.to_thread(request, "DELETE", session, token)
    await peer.close()
