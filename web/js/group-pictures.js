// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The pictures of a sealed group: one tile for each stream that a member announced, opened with that
// member's keys and nobody else's.
import { byId, element } from './dom.js';
import { nameOf } from './group-words.js';
import { Player } from './player.js';
import { SEALS, SealState } from './seal.js';
import { at } from './server.js';

class Tile {
  #video = element('video', { muted: true, playsInline: true, autoplay: true });
  #veil = element('p', { class: 'veil' });
  #badge = element('span', { class: 'badge' });
  #title = element('h3', {});
  #sound = element('button', { type: 'button', 'aria-pressed': 'false' }, 'Sound');
  #state = new SealState(); #seal;

  constructor(source, person, { session, token }) {
    this.#seal = session.sealOf(person.number);
    this.node = element('li', { class: 'tile', 'data-id': source },
      element('div', { class: 'picture' }, this.#video, this.#veil, this.#badge),
      element('div', { class: 'caption' }, this.#title, this.#sound));
    this.#sound.addEventListener('click', () => {
      this.#video.muted = !this.#video.muted;
      this.#sound.setAttribute('aria-pressed', String(!this.#video.muted));
      this.#video.play().catch(() => {});
    });
    this.player = new Player(this.#video, { url: at(`/whep/${encodeURIComponent(source)}`), token, seal: this.#seal });
    this.player.addEventListener('status', () => this.#show());
    this.#seal.addEventListener('counters', () => this.#show());
    this.#show();
    this.player.start();
  }

  name(name) {
    if (this.#title.textContent === name) return;
    this.#title.textContent = name;
    this.#video.setAttribute('aria-label', `Live picture of ${name}`);
    this.#sound.setAttribute('aria-label', `Sound of ${name}`);
  }

  #show() {
    const { status, sealed } = this.player;
    const connected = ['live', 'stalled'].includes(status);
    const state = this.#state.read({ counters: this.#seal.counters, sealed, connected });
    const opens = state === 'sealed' || state === 'damaged';
    this.node.dataset.seal = connected ? state : '';
    const away = ['waiting', 'refused', 'idle'].includes(status);
    this.#veil.textContent = away ? 'Sends nothing now.' : opens ? this.player.message : 'Waiting for a key that opens this…';
    this.#veil.hidden = opens && status === 'live';
    this.#badge.textContent = away ? 'Not sending' : opens ? SEALS[state][0] : 'Not opened';
    this.#badge.className = `badge badge-${away ? 'idle' : opens && state === 'sealed' ? 'sealed' : 'waiting'}`;
  }
}

export class Pictures {
  #tiles = new Map(); #group; #options;

  /** `options`: {session, token}. */
  constructor(group, options) {
    this.#group = group;
    this.#options = options;
  }

  show(people) {
    const wanted = new Map(people.flatMap((person) => person.sources.map((source) => [source, person])));
    for (const [source, { tile, number }] of this.#tiles) {
      if (wanted.get(source)?.number === number) continue;
      tile.player.stop();
      tile.node.remove();
      this.#tiles.delete(source);
    }
    for (const [source, person] of wanted) {
      if (!this.#tiles.has(source)) {
        const tile = new Tile(source, person, this.#options);
        this.#tiles.set(source, { tile, number: person.number });
        byId('pictures').append(tile.node);
      }
      this.#tiles.get(source).tile.name(nameOf(person, this.#group));
    }
    byId('no-pictures').hidden = this.#tiles.size > 0 || byId('own-picture') !== null;
  }

  /** It can be watched now. */
  retry(source) { this.#tiles.get(source)?.tile.player.retry(); }

  stop() {
    for (const { tile } of this.#tiles.values()) {
      tile.player.stop();
      tile.node.remove();
    }
    this.#tiles.clear();
  }
}
