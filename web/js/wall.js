// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The wall: a tile for each source, playing while it is on the screen.
import { element, byId, tell } from './dom.js';
import { setUpPage } from './page.js';
import { Player } from './player.js';
import { at } from './server.js';
import { requireLogin, session } from './session.js';
import { listSources } from './sources.js';

const REFRESH_MS = 10000;
const BADGES = {
  idle: 'Paused', connecting: 'Connecting', live: 'Live', stalled: 'No picture', waiting: 'Waiting',
  refused: 'Refused', sealed: 'Sealed',
};

class Tile {
  #badge; #veil; #sound; #video;

  constructor(source) {
    const watch = `watch.html?id=${encodeURIComponent(source.id)}`;
    this.id = source.id;
    this.#video = element('video', { muted: true, playsInline: true, autoplay: true, 'aria-hidden': 'true' });
    this.#badge = element('span', { class: 'badge' });
    this.#veil = element('span', { class: 'veil', hidden: true });
    this.#sound = element('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.#toggleSound() }, 'Sound');
    this.title = element('a', { href: watch });
    this.node = element('li', { class: 'tile', 'data-id': source.id },
      element('a', { class: 'picture', href: watch, tabindex: '-1', 'aria-hidden': 'true' },
        this.#video, this.#veil, this.#badge),
      element('div', { class: 'caption' }, element('h2', {}, this.title),
        element('span', { class: 'visually-hidden' }), this.#sound));
    this.player = new Player(this.#video, {
      url: at(`/whep/${encodeURIComponent(source.id)}`), token: session.token, small: true,
    });
    this.player.addEventListener('status', () => this.#show());
    this.update(source);
    this.#show();
  }

  update(source) {
    // Its publisher came back without a seal.
    if (!source.sealed && this.player.status === 'sealed') this.player.start();
    const title = source.title || source.id;
    if (this.title.textContent === title) return;
    this.title.textContent = title;
    this.#sound.setAttribute('aria-label', `Sound of ${title}`);
  }

  #show() {
    const { status, message } = this.player;
    this.#badge.textContent = BADGES[status];
    this.#badge.className = `badge badge-${status}`;
    this.node.querySelector('.visually-hidden').textContent = BADGES[status];
    this.#veil.textContent = message;
    this.#veil.hidden = status === 'live' || status === 'idle';
    updateSummary();
  }

  #toggleSound() {
    const on = this.#video.muted;
    for (const tile of tiles.values()) tile.mute(tile !== this || !on); // One at a time.
  }

  mute(muted) {
    this.#video.muted = muted;
    this.#sound.setAttribute('aria-pressed', String(!muted));
  }
}

const tiles = new Map();
const wall = byId('wall');

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const tile = tiles.get(target.dataset.id);
    if (isIntersecting) tile?.player.start();
    else tile?.player.stop();
  }
}, { rootMargin: '25%' });

function updateSummary() {
  const live = [...tiles.values()].filter(({ player }) => player.status === 'live').length;
  const text = tiles.size ? `${live} of ${tiles.size} showing` : '';
  const place = byId('summary');
  if (place.textContent !== text) place.textContent = text;
}

function show(sources) {
  const seen = new Set(sources.map(({ id }) => id));
  for (const [id, tile] of tiles) {
    if (seen.has(id)) continue;
    watcher.unobserve(tile.node);
    tile.player.stop();
    tile.node.remove();
    tiles.delete(id);
  }
  for (const source of sources) {
    const known = tiles.get(source.id);
    if (known) {
      known.update(source);
      continue;
    }
    const tile = new Tile(source);
    tiles.set(source.id, tile);
    wall.append(tile.node);
    watcher.observe(tile.node);
  }
  byId('empty').hidden = sources.length > 0;
  updateSummary();
}

async function refresh() {
  try {
    show(await listSources());
    tell(byId('message'), '');
  } catch (error) {
    tell(byId('message'), `${error.message} The page tries again by itself.`, 'error');
  }
  setTimeout(refresh, REFRESH_MS);
}

setUpPage();
if (requireLogin()) refresh();
addEventListener('pagehide', () => tiles.forEach(({ player }) => player.stop()));
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
