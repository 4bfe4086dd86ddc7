// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One source, large: sound, statistics, full screen. Works with a log-in or with a shared link.
import { forgetKey, keyTextIn, parseKey, recallKey, rememberKey, takeKeyText } from '../e2ee/keys.js';
import { SealedMedia, whyNoSeal } from '../e2ee/media.js';
import { announce, element, byId, tell } from './dom.js';
import { setUpPage } from './page.js';
import { Player } from './player.js';
import { SEALS, SealState, showSeal } from './seal.js';
import { at } from './server.js';
import { goToLogin, session, sharedToken } from './session.js';
import { listSources } from './sources.js';
import { describe } from './stats.js';

// First of all: a key in the address is seen by whoever looks over a shoulder or copies the address.
const givenKey = takeKeyText();
const id = new URLSearchParams(location.search).get('id') ?? '';
const token = sharedToken() || session.token;
const video = byId('video');
const box = byId('player');
let statsShown = false;
let seal = null; // A SealedMedia, when there is a key.
const sealState = new SealState();

function name(title) {
  byId('title').textContent = title;
  document.title = `${title} · sotto`;
  video.setAttribute('aria-label', `Live picture of ${title}`);
}

function setUpControls(player) {
  const sound = byId('sound');
  const stats = byId('show-stats');
  const full = byId('full');
  const showSound = () => sound.setAttribute('aria-pressed', String(!video.muted));
  sound.addEventListener('click', () => {
    video.muted = !video.muted;
    video.play().catch(() => {});
  });
  video.addEventListener('volumechange', showSound);
  byId('volume').addEventListener('input', ({ target }) => {
    video.volume = target.value / 100;
    video.muted = target.value === '0';
  });
  stats.addEventListener('click', () => {
    statsShown = !statsShown;
    byId('stats').hidden = !statsShown;
    stats.setAttribute('aria-pressed', String(statsShown));
  });
  full.addEventListener('click', async () => {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (box.requestFullscreen) await box.requestFullscreen();
    else video.webkitEnterFullscreen?.(); // iPhones have only this.
  });
  document.addEventListener('fullscreenchange', () => {
    full.textContent = document.fullscreenElement ? 'Leave full screen' : 'Full screen';
  });
  byId('retry').addEventListener('click', () => player.retry());
  box.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const button = { m: sound, s: stats, f: full }[event.key.toLowerCase()];
    if (!button) return;
    event.preventDefault();
    button.click();
  });
}

function show(player) {
  const { status, message, error } = player;
  const veil = byId('veil');
  veil.textContent = message;
  veil.hidden = status === 'live';
  byId('status').textContent = { live: 'Live', connecting: 'Connecting…', stalled: 'No picture' }[status] ?? '';
  showSealOf(player);
  byId('retry').hidden = status !== 'waiting' && status !== 'refused';
  if (status === 'refused') {
    announce(message);
    if (error.status === 401 && !sharedToken()) {
      session.forget();
      goToLogin('expired');
    } else if (error.status === 401 || error.status === 403) {
      tell(byId('message'), sharedToken()
        ? 'This link has ended or does not allow watching. Ask its sender for a new one.'
        : 'Your log-in does not allow watching this camera. Ask the administrator.', 'error');
    } else {
      tell(byId('message'), message, 'error');
    }
  } else if (status === 'live') {
    tell(byId('message'), '');
  }
}

/** The mark, the form for a key where one is needed, and no picture that did not open. */
function showSealOf(player) {
  const state = sealState.read({
    counters: seal?.counters, sealed: player.sealed, connected: ['live', 'stalled'].includes(player.status),
  });
  showSeal(state);
  byId('key-form').hidden = state !== 'no-key' && state !== 'wrong-key';
  byId('forget-key').hidden = seal === null;
  const shut = ['no-key', 'wrong-key', 'unsealed'].includes(state);
  if (!shut) return;
  byId('veil').textContent = SEALS[state].join('. ');
  byId('veil').hidden = false;
}

function useKey(player, key) {
  if (!seal) {
    seal = new SealedMedia();
    seal.addEventListener('counters', () => show(player));
  }
  seal.setKey(key);
  player.useSeal(seal);
}

function setUpKeys(player) {
  const error = byId('key-error');
  const field = byId('key-text');
  const complain = (text) => {
    error.textContent = text;
    error.hidden = !text;
    field.setAttribute('aria-invalid', String(Boolean(text)));
  };
  byId('key-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    complain('');
    try {
      const why = whyNoSeal();
      if (why) throw new Error(why);
      const key = await parseKey(keyTextIn(field.value));
      field.value = '';
      await rememberKey(id, key);
      useKey(player, key);
      byId('sound').focus(); // The form goes away.
    } catch ({ message }) {
      complain(message);
      field.focus();
    }
  });
  byId('forget-key').addEventListener('click', async () => {
    await forgetKey(id);
    location.reload();
  });
}

/** The key of the link, else the one kept from an earlier visit. */
async function findKey() {
  if (!givenKey) return recallKey(id);
  const why = whyNoSeal();
  if (why) throw new Error(why);
  const key = await parseKey(givenKey);
  await rememberKey(id, key);
  return key;
}

async function start() {
  name(id);
  let key = null;
  try {
    key = await findKey();
  } catch ({ message }) {
    tell(byId('message'), message, 'error');
  }
  if (!token) { // With the key kept, the link's work is done.
    goToLogin();
    return;
  }
  if (key && !whyNoSeal()) seal = new SealedMedia({ key });
  if (session.token) {
    // The title is a nicety: without it the name is shown.
    listSources().then((sources) => {
      const source = sources.find((each) => each.id === id);
      if (source?.title) name(source.title);
    }).catch(() => {});
  } else {
    byId('nav').hidden = true;
    byId('back').hidden = true;
  }
  const player = new Player(video, { url: at(`/whep/${encodeURIComponent(id)}`), token, seal });
  player.addEventListener('status', () => show(player));
  seal?.addEventListener('counters', () => show(player));
  setUpKeys(player);
  player.addEventListener('stats', ({ detail }) => {
    if (!statsShown) return;
    byId('stats').replaceChildren(...describe(detail).flatMap(
      ([label, text]) => [element('dt', {}, label), element('dd', {}, text)]));
  });
  setUpControls(player);
  player.start();
  addEventListener('pagehide', () => player.stop());
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
}

setUpPage();
if (!id) {
  tell(byId('message'), 'This address names no camera. Choose one on the Cameras page.', 'error');
  box.hidden = true;
} else {
  start();
}
