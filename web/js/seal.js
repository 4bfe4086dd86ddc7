// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The mark that says whether a stream is sealed end to end, in words, shape and colour.
import { announce, byId } from './dom.js';

/** What each state means to a person: the mark itself, and a sentence beneath. */
export const SEALS = {
  sealed: ['Sealed end to end', 'Only those who have the key can see and hear this; the server cannot.'],
  waiting: ['Sealed: waiting for the first frame', 'The key is at hand. Nothing is shown until a frame opens with it.'],
  'no-key': ['Sealed: you have no key', 'The key is in the link that the sender shares. Open that link, or paste it here.'],
  'wrong-key': ['Sealed: this key does not open it', 'Nothing is shown. Ask the sender for the present link, and open or paste it here.'],
  damaged: ['Sealed, but damaged on the way', 'Some of it arrives altered or twice. What does not open is not shown.'],
  unsealed: ['Not sealed, and refused', 'You came with a key, but this stream is not sealed with one. Nothing of it is shown.'],
  open: ['Not sealed', 'The server can see and hear this.'],
  sending: ['Sealed end to end', 'Only those who have the link with the key can open it; the server cannot.'],
};

const LOCKED = 'M6 11V8a6 6 0 0 1 12 0v3h1.5v11h-15V11zM9 11h6V8a3 3 0 0 0-6 0z';
const UNLOCKED = 'M6 11V8a6 6 0 0 1 11.7-2l-2.9.8A3 3 0 0 0 9 8v3h10.5v11h-15V11z';
const SVG = 'http://www.w3.org/2000/svg';

function lock(shut) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', shut ? LOCKED : UNLOCKED);
  svg.append(path);
  return svg;
}

/** Shows `state` (empty: nothing is known yet) in #seal and #seal-text, and says it once. */
export const showSeal = (state) => showMark(state, ...SEALS[state] ?? []);

/** The same with words of one's own. */
export function showMark(state, title = '', text = '') {
  const mark = byId('seal');
  if (mark.dataset.state === state && mark.textContent === title && byId('seal-text').textContent === text) return;
  mark.dataset.state = state;
  mark.hidden = byId('seal-text').hidden = !state;
  mark.replaceChildren();
  if (!state) return;
  mark.className = `seal seal-${state}`;
  mark.append(lock(state !== 'open' && state !== 'unsealed'), title);
  byId('seal-text').textContent = text;
  announce(`${title}. ${text}`);
}

const RECENT_MS = 3000;
const NOTABLE = 10; // Frames within that time; a stray one is not worth a word.

/** What a viewer's mark has to say, from what came of the frames of the last seconds. */
export class SealState {
  #samples = []; #state = '';

  /**
   * `counters`: of SealedMedia, null without a key. `sealed`: what the server says. What opens is
   * sealed whatever the server says; without a key there is only its word.
   */
  read({ counters, sealed, connected }, now = performance.now()) {
    if (!counters) return sealed ? 'no-key' : connected ? 'open' : '';
    const sample = {
      now, opened: counters.opened, bad: counters.failed + counters.refused + counters.replayed,
    };
    const last = this.#samples.at(-1);
    // A new connection counts from nothing.
    if (last && (sample.opened < last.opened || sample.bad < last.bad)) this.#samples = [];
    if (this.#samples.length === 0) {
      this.#state = '';
      this.#samples.push({ now, opened: 0, bad: 0 });
    }
    this.#samples.push(sample);
    while (this.#samples.length > 2 && this.#samples[1].now < now - RECENT_MS) this.#samples.shift();
    const opened = sample.opened - this.#samples[0].opened;
    const bad = sample.bad - this.#samples[0].bad;
    if (opened === 0 && bad === 0) return this.#state || (connected && sealed === false ? 'unsealed' : 'waiting');
    if (opened === 0) {
      if (bad >= NOTABLE || !this.#state) this.#state = sealed === false ? 'unsealed' : 'wrong-key';
    } else {
      this.#state = bad >= NOTABLE && bad * 10 > opened ? 'damaged' : 'sealed';
    }
    return this.#state;
  }
}
