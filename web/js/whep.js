// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A WHEP viewer (draft-ietf-wish-whep) in any page:
//
//   import { WhepViewer } from './whep.js';
//   const viewer = new WhepViewer({ url: 'https://host:8443/whep/front-door', token });
//   video.srcObject = viewer.stream;          // Tracks appear in it by themselves.
//   viewer.addEventListener('state', () => console.log(viewer.state));
//   await viewer.connect();                   // Rejects with a SessionError.
//   …
//   await viewer.stop();
//
// No dependency but wish.js; no reconnect (player.js does that).
import { WishSession } from './wish.js';

export { SessionError } from './wish.js';

export class WhepViewer extends WishSession {
  /**
   * `url`, `token`, `iceServers`: see WishSession. `audio`, `video`: what to ask for.
   * `seal`: opens what is sealed end to end, and passes nothing else.
   * `small`: the smaller stream of the source is enough (a tile of a wall).
   */
  constructor({ url, token, iceServers, audio = true, video = true, small = false, seal }) {
    const endpoint = new URL(url, document.baseURI);
    if (small) endpoint.searchParams.set('small', '1');
    super({ url: endpoint, token, iceServers, seal });
    /** What arrives. The same object for the life of the viewer. */
    this.stream = new MediaStream();
    const asked = [video && 'video', audio && 'audio'].filter(Boolean)
      .map((kind) => this.pc.addTransceiver(kind, { direction: 'recvonly' }));
    // Before there is anything to receive: no frame comes by unopened.
    for (const { receiver } of asked) seal?.attach(receiver);
    this.pc.ontrack = ({ track }) => this.stream.addTrack(track);
  }
}
