// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What an open channel carries: numbered letters, of one box or two. docs/encodings.md, "Letter".
import { KeyError, bytes, encode, read, uint } from './cbor.js';
import { NOTHING, openBox, sealBox } from './primitives.js';

const LABEL = 'sotto/letter/v1';

export class Letters {
  #channel; #place; #next = 0; #seen = -1;

  /** `place`: {group, session, us, them}, the last two being member numbers. */
  constructor(channel, place) {
    this.#channel = channel;
    this.#place = place;
  }

  #data(from, to, seq, layer) {
    const { group, session } = this.#place;
    return ['sotto/box/v1', group, session, from, to, seq, layer];
  }

  /** `first`, `second`: what encode() takes; the second goes into the other layer's box. */
  async seal(first, second = null) {
    const seq = this.#next;
    this.#next += 1; // Before anything is awaited: no number is used twice.
    const { us, them } = this.#place;
    const box = (layer, body) => sealBox(this.#channel.boxes[layer].send, seq, this.#data(us, them, seq, layer), encode(body));
    return encode([LABEL, seq, await box(1, first), second ? await box(2, second) : NOTHING]);
  }

  /** {first, second}: bytes of the boxes, the second null where there is none. Throws and changes nothing when it does not open. */
  async open(letter) {
    const [seq, box1, box2] = read(letter, LABEL, uint(0, 2 ** 53 - 1), bytes(), bytes());
    if (seq <= this.#seen) throw new KeyError('bad-letter', 'a letter that repeats or comes late');
    const { us, them } = this.#place;
    const open = (layer, box) => openBox(this.#channel.boxes[layer].receive, seq, this.#data(them, us, seq, layer), box);
    const first = await open(1, box1);
    const second = box2.length ? await open(2, box2) : null;
    this.#seen = seq;
    return { first, second };
  }
}
