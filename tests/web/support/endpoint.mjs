// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A WHIP and WHEP endpoint whose media end is a peer connection in a browser page: what whip.js and
// whep.js send is seen here request by request, and does connect or does not.
import { EventEmitter, once } from 'node:events';
import http from 'node:http';

const EXPOSED = 'Location, Link, ETag, Retry-After';

export class Endpoint {
  name = 'endpoint';
  requests = [];
  /** Answers given instead of a session, first to last: {status, headers, body}. */
  refusals = [];
  #page; #seen = new EventEmitter(); #answering = new Set();

  /** `page`: where the answering peer connections live. */
  static async start(page) {
    const self = new Endpoint();
    self.#page = page;
    await page.evaluate(() => {
      window.peers = new Map();
      window.answer = async (id, sdp) => {
        const peer = new RTCPeerConnection();
        window.peers.set(id, peer);
        await peer.setRemoteDescription({ type: 'offer', sdp });
        if (sdp.includes('a=recvonly')) {
          const canvas = document.createElement('canvas');
          Object.assign(canvas, { width: 160, height: 120 });
          const context = canvas.getContext('2d');
          let count = 0;
          setInterval(() => {
            context.fillStyle = ['red', 'blue'][count % 2];
            context.fillRect(0, 0, 80, 120);
            count += 1;
          }, 50);
          const stream = canvas.captureStream(20);
          const tone = new AudioContext();
          const oscillator = tone.createOscillator();
          const destination = tone.createMediaStreamDestination();
          oscillator.connect(destination);
          oscillator.start();
          for (const track of [...stream.getTracks(), ...destination.stream.getTracks()]) peer.addTrack(track, stream);
        }
        await peer.setLocalDescription();
        if (peer.iceGatheringState !== 'complete') {
          await new Promise((resolve) => { peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve(); });
        }
        return peer.localDescription.sdp;
      };
    });
    self.server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (data) => { body += data; });
      request.on('end', () => {
        const answered = self.#serve(request, response, body).catch((error) => {
          response.writeHead(500).end(String(error));
        }).then(() => response.closed || once(response, 'close')).finally(() => self.#answering.delete(answered));
        self.#answering.add(answered);
      });
    });
    await new Promise((resolve, reject) => self.server.listen(0, '127.0.0.1', resolve).on('error', reject));
    self.url = `http://127.0.0.1:${self.server.address().port}`;
    return self;
  }

  /** Settles when that many requests with that method were made. */
  async sees(method, count = 1) {
    while (this.requests.filter((each) => each.method === method).length < count) await once(this.#seen, method);
  }

  async #serve(request, response, body) {
    const { method, url, headers } = request;
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Allow-Methods', 'POST, PATCH, DELETE');
    response.setHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type, If-Match');
    response.setHeader('Access-Control-Expose-Headers', EXPOSED);
    if (method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    this.requests.push({ method, url, headers, body });
    this.#seen.emit(method);
    if (method === 'POST') {
      const refusal = this.refusals.shift();
      if (refusal) {
        response.writeHead(refusal.status, refusal.headers).end(refusal.body);
        return;
      }
      const id = `s${this.requests.length}`;
      const answer = await this.#page.evaluate((name, sdp) => window.answer(name, sdp), id, body);
      response.writeHead(201, {
        'Content-Type': 'application/sdp', Location: `/session/${id}`, ETag: '"first"',
        Link: '<stun:127.0.0.1:9>; rel="ice-server", <turn:127.0.0.1:9?transport=udp>; rel="ice-server"; '
          + 'username="a, \\"b\\""; credential="c;d"; credential-type="password"',
      }).end(answer);
    } else if (method === 'PATCH') {
      const candidates = body.split('\r\n').filter((line) => line.startsWith('a=candidate:'));
      await this.#page.evaluate(async (name, list) => {
        for (const line of list) {
          await window.peers.get(name).addIceCandidate({ candidate: line.slice(2), sdpMLineIndex: 0 });
        }
      }, url.split('/').pop(), candidates);
      response.writeHead(204).end();
    } else {
      await this.#page.evaluate((name) => window.peers.get(name)?.close(), url.split('/').pop());
      response.writeHead(200).end();
    }
  }

  /** What is being answered still is. Connections a browser opened in advance are not waited for. */
  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    while (this.#answering.size) await Promise.all(this.#answering);
    this.server.closeAllConnections();
    await closed;
  }
}
