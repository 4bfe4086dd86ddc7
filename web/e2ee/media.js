// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The page's side of sealed media: puts the worker between the codecs and the network of a peer
// connection's senders and receivers, hands it the key, and tells what became of the frames.
//
//   const seal = new SealedMedia({ key });       // {suite, base: CryptoKey}; null: nothing passes.
//   const publisher = new WhipPublisher({ …, seal });
//   seal.addEventListener('counters', () => console.log(seal.counters));

const DEFAULT_WORKER = new URL('./worker.js', import.meta.url);

const hasTransform = () => 'RTCRtpScriptTransform' in globalThis;
const hasStreams = () => 'createEncodedStreams' in (globalThis.RTCRtpSender?.prototype ?? {});

/** Why this browser cannot seal or open, in words; empty when it can. */
export function whyNoSeal() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return 'Sealed streams work on secure pages only. Open this page by https, or on the server itself by http://localhost.';
  }
  if (!hasTransform() && !hasStreams()) {
    return 'This browser cannot seal or open streams. Use a newer one.';
  }
  return '';
}

/** Events: "counters" (read `counters` and `state`). Serves one peer connection at a time. */
export class SealedMedia extends EventTarget {
  /** Whether it seals what is sent; the other end is told. */
  seals = false;
  #worker; #tracks = new Map(); #count = 0; #fallback;

  /** `worker`: another script than ours, for pages from another origin. */
  constructor({ key = null, worker = DEFAULT_WORKER } = {}) {
    super();
    const reason = whyNoSeal();
    if (reason) throw new Error(reason);
    this.#fallback = !hasTransform();
    this.#worker = new Worker(worker, { type: 'module', name: 'sotto sealed media' });
    this.#worker.addEventListener('message', ({ data }) => {
      if (!this.#tracks.has(data.track)) return; // Of a connection that was replaced.
      this.#tracks.set(data.track, data.counters);
      this.dispatchEvent(new Event('counters'));
    });
    this.setKey(key);
  }

  /** What a RTCPeerConnection needs in its configuration. */
  get configuration() { return this.#fallback ? { encodedInsertableStreams: true } : {}; }

  /** Before any negotiation: from now on nothing passes `end` unsealed or unopened. */
  attach(end, { mimeType = '' } = {}) {
    const sender = end instanceof RTCRtpSender;
    this.seals ||= sender;
    this.#count += 1;
    const track = { id: this.#count, role: sender ? 'seal' : 'open', mimeType };
    this.#tracks.set(track.id, null);
    if (this.#fallback) {
      const { readable, writable } = end.createEncodedStreams();
      this.#worker.postMessage({ readable, writable, track }, [readable, writable]);
    } else {
      end.transform = new RTCRtpScriptTransform(this.#worker, track);
    }
  }

  /** For all tracks; a sender begins anew with a KID of its own. */
  setKey(key) {
    this.hasKey = key !== null;
    this.#worker.postMessage({ key });
  }

  /** A new connection takes the place of the former: what was counted is forgotten. */
  reset() { this.#tracks.clear(); }

  /** Of all tracks together; see newCounters(). */
  get counters() {
    const sum = { sealed: 0, opened: 0, missingKey: 0, failed: 0, replayed: 0, refused: 0, skipped: 0 };
    for (const counters of this.#tracks.values()) {
      for (const name of Object.keys(sum)) sum[name] += counters?.[name] ?? 0;
    }
    return sum;
  }

  /** Ends the worker and with it every track. */
  stop() {
    this.#worker.terminate();
    this.#tracks.clear();
  }
}
