// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A thin line between the server and one page: what the server sends is held to a rate, in a queue
// of its own, as a home's router holds it. The page's answer names the line instead of the server.
import dgram from 'node:dgram';
import { once } from 'node:events';

const QUEUE_MS = 1000; // What would wait longer is lost: as much as bad routers keep.

export class Line {
  name = 'line';
  /** Bits per second towards the page; Infinity: as it comes. */
  rate = Infinity;
  sent = 0; lost = 0; waited = [];
  #queue = []; #waiting = 0; #busy = false; #ended = false; #server; #viewer;

  /** Puts itself between `page` and whatever it watches next. Before the page is opened. */
  static async start(page) {
    const self = new Line();
    self.facingServer = dgram.createSocket('udp4');
    self.facingViewer = dgram.createSocket('udp4');
    for (const socket of [self.facingServer, self.facingViewer]) {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    self.facingViewer.on('message', (packet, from) => {
      self.#viewer = from;
      if (self.#server) self.facingServer.send(packet, self.#server, '127.0.0.1');
    });
    self.facingServer.on('message', (packet) => self.#take(packet));
    await page.exposeFunction('throughTheLine', (port) => {
      self.#server = port;
      return self.facingViewer.address().port;
    });
    await page.evaluateOnNewDocument(() => {
      const fetched = window.fetch;
      window.fetch = async (...request) => {
        const response = await fetched(...request);
        if (response.status !== 201 || !response.headers.get('content-type')?.includes('sdp')) return response;
        const sdp = await response.text();
        const port = /a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+)/i.exec(sdp)[1];
        const ours = await window.throughTheLine(Number(port));
        let named = false;
        const lines = sdp.split('\r\n').flatMap((line) => {
          if (!line.startsWith('a=candidate:')) return [line];
          if (named) return [];
          named = true;
          return [`a=candidate:1 1 udp 2130706431 127.0.0.1 ${ours} typ host`];
        });
        const made = new Response(lines.join('\r\n'), { status: 201, headers: response.headers });
        Object.defineProperty(made, 'url', { value: response.url });
        return made;
      };
    });
    return self;
  }

  #take(packet) {
    const now = performance.now();
    if (this.#waiting * 8000 / this.rate > QUEUE_MS) {
      this.lost += 1;
      return;
    }
    this.#queue.push({ packet, came: now });
    this.#waiting += packet.length;
    if (!this.#busy) this.#next();
  }

  #next() {
    const entry = this.#queue[0];
    this.#busy = Boolean(entry);
    if (!entry) return;
    const send = () => {
      if (this.#ended) return;
      this.#queue.shift();
      this.#waiting -= entry.packet.length;
      const now = performance.now();
      this.sent += entry.packet.length;
      this.waited.push({ at: now, ms: now - entry.came });
      if (this.#viewer) this.facingViewer.send(entry.packet, this.#viewer.port, this.#viewer.address);
      this.#next();
    };
    if (this.rate === Infinity) send();
    else setTimeout(send, entry.packet.length * 8000 / this.rate);
  }

  /** Over what is to come: the rate that passed, and the longest wait of a packet. */
  async measure(ms) {
    const [bytes, lost] = [this.sent, this.lost];
    this.waited = [];
    await new Promise((resolve) => { setTimeout(resolve, ms); });
    const waits = this.waited.map((each) => each.ms).sort((a, b) => a - b);
    return {
      rate: (this.sent - bytes) * 8000 / ms, lost: this.lost - lost,
      longest: waits.at(-1) ?? 0, median: waits[Math.floor(waits.length / 2)] ?? 0,
    };
  }

  stop() {
    this.#ended = true;
    this.facingServer.close();
    this.facingViewer.close();
  }
}
