// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A WHIP publisher (RFC 9725) in any page:
//
//   import { WhipPublisher } from './whip.js';
//   const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
//   const publisher = new WhipPublisher({ url: 'https://host:8443/whip/stage', token, stream });
//   publisher.addEventListener('state', () => console.log(publisher.state));
//   await publisher.connect();                // Rejects with a SessionError.
//   …
//   await publisher.stop();                   // The tracks are yours: stop them yourself.
//
// No dependency but wish.js.
import { WishSession } from './wish.js';

export { SessionError } from './wish.js';

// Codecs every viewer's browser has, best first: what is published in one of these reaches all
// viewers without a transcode.
const PREFERRED = ['video/VP8', 'video/H264', 'audio/opus'];

function preferred(kind, names) {
  const rank = ({ mimeType }) => {
    const place = names.findIndex((name) => name.toLowerCase() === mimeType.toLowerCase());
    return place < 0 ? names.length : place;
  };
  return RTCRtpSender.getCapabilities(kind).codecs.sort((a, b) => rank(a) - rank(b));
}

export class WhipPublisher extends WishSession {
  /**
   * `url`, `token`, `iceServers`: see WishSession. `stream`: what to send, at most one audio and
   * one video track. `maxBitrate`: of the video, bits per second; 0 leaves it to the browser.
   * `seal`: seals all of it end to end. `codecs`: MIME types, best first.
   */
  constructor({ url, token, iceServers, stream, maxBitrate = 0, seal, codecs = PREFERRED }) {
    super({ url, token, iceServers, seal });
    for (const track of [stream.getVideoTracks()[0], stream.getAudioTracks()[0]]) {
      if (!track) continue;
      const video = track.kind === 'video';
      const transceiver = this.pc.addTransceiver(track, {
        direction: 'sendonly',
        streams: [stream],
        ...(video && maxBitrate ? { sendEncodings: [{ maxBitrate }] } : {}),
      });
      transceiver.setCodecPreferences?.(preferred(track.kind, codecs));
      seal?.attach(transceiver.sender);
    }
  }

  /** Sends another track in place of the one of the same kind, without a new session. */
  async replaceTrack(track) {
    const sender = this.pc.getSenders().find((each) => each.track?.kind === track.kind);
    await sender?.replaceTrack(track);
  }
}
