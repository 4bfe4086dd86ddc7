// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// This device's camera, microphone or screen, sent to the server by WHIP.
import { makeKey, rememberKey } from '../e2ee/keys.js';
import { SealedMedia, whyNoSeal } from '../e2ee/media.js';
import { announce, busy, byId, copy, element, tell } from './dom.js';
import { setUpPage } from './page.js';
import { showSeal } from './seal.js';
import { at, serverForLinks } from './server.js';
import { goToLogin, session, sharedToken } from './session.js';
import { listSources } from './sources.js';
import { StatsReader, describe } from './stats.js';
import { WhipPublisher } from './whip.js';

const BITRATES = { 360: 800_000, 720: 2_500_000, 1080: 5_000_000 }; // Enough for a moving picture.
const token = sharedToken() || session.token;
const form = byId('form');
const message = byId('message');
const preview = byId('preview');
const veil = byId('veil');
const keys = new Map(); // From a mount to what makeKey() gave: a pause does not change the link.
let running = null; // { publisher, stream, seal, ticker }

async function capture(what, height) {
  const video = { width: { ideal: Math.round(height * 16 / 9) }, height: { ideal: height } };
  if (!navigator.mediaDevices) {
    throw new Error('The browser gives cameras only to secure pages. Open this page by https, or on the server itself by http://localhost.');
  }
  try {
    if (what === 'screen') return await navigator.mediaDevices.getDisplayMedia({ video, audio: true });
    return await navigator.mediaDevices.getUserMedia({ audio: true, ...(what === 'camera' ? { video } : {}) });
  } catch (error) {
    const texts = {
      NotAllowedError: 'The browser was not allowed to use it. Allow camera and microphone for this page (the sign beside the address) and start again.',
      NotFoundError: 'No camera or microphone was found. Connect one, or choose the screen.',
      NotReadableError: 'Another program is using the camera or microphone. Close it and start again.',
    };
    throw new Error(texts[error.name] ?? error.message);
  }
}

function explain(error) {
  if (error.status === 401 && !sharedToken()) {
    session.forget();
    goToLogin('expired');
  }
  if (error.status === 401 || error.status === 403) {
    return new Error('You may not publish here. Ask the administrator for a link that may, or choose another name.');
  }
  if (error.status === 409) {
    return new Error(`${error.message.replace(/\.?$/, '.')} Choose another name.`);
  }
  return error;
}

function show(live) {
  byId('start').hidden = live;
  byId('stop').hidden = !live;
  byId('stats').hidden = !live;
  for (const control of form.querySelectorAll('input, select')) control.disabled = live;
  byId('link').hidden = !live;
  if (!live) showSeal('');
}

/** The key of this mount, and where it is remembered so that this browser can watch, too. */
async function keyFor(mount) {
  const why = whyNoSeal();
  if (why) throw new Error(why);
  if (!keys.has(mount)) keys.set(mount, await makeKey());
  const { key } = keys.get(mount);
  await rememberKey(mount, key);
  return key;
}

function showLink(mount, sealed) {
  const link = byId('watch-link');
  const address = new URL(`watch.html?id=${encodeURIComponent(mount)}`, document.baseURI);
  address.hash = ((sealed ? `&${keys.get(mount).fragment}` : '') + serverForLinks()).slice(1);
  link.href = address.href;
  link.textContent = address.href;
  byId('link-help').hidden = !sealed;
  byId('copied').textContent = '';
}

/** The mark tells what left, not what was wished: sealed once a sealed frame went out. */
function showSealing({ seal }, live) {
  if (!live) showSeal('');
  else if (!seal) showSeal('open');
  else if (seal.counters.sealed) showSeal('sending');
}

async function stop(text = '') {
  const was = running;
  running = null;
  if (!was) return;
  clearInterval(was.ticker);
  was.stream.getTracks().forEach((track) => track.stop());
  preview.srcObject = null;
  veil.textContent = 'Nothing is sent yet.';
  veil.hidden = false;
  byId('status').textContent = '';
  show(false);
  byId('start').focus();
  if (text) tell(message, text, 'error');
  await was.publisher.stop();
  was.seal?.stop();
}

async function start() {
  tell(message, '');
  const mount = form.elements.namedItem('mount').value.trim();
  const what = new FormData(form).get('what');
  const quality = byId('quality').value;
  const key = byId('sealed').checked ? await keyFor(mount) : null;
  const stream = await capture(what, Number(quality));
  const seal = key ? new SealedMedia({ key }) : null;
  const publisher = new WhipPublisher({
    url: at(`/whip/${encodeURIComponent(mount)}`), token, stream, maxBitrate: BITRATES[quality], seal,
  });
  const mine = { publisher, stream, seal, ticker: 0 };
  running = mine;
  seal?.addEventListener('counters', () => running === mine && showSealing(mine, publisher.state === 'connected'));
  preview.srcObject = stream;
  veil.textContent = 'Connecting…';
  stream.getTracks().forEach((track) => track.addEventListener('ended',
    () => stop(what === 'screen' ? '' : 'The camera or microphone was taken away. Connect it and start again.')));
  publisher.addEventListener('state', () => {
    if (running?.publisher !== publisher) return;
    if (publisher.state === 'connected') {
      veil.hidden = true;
      byId('status').textContent = 'Live';
      showSealing(mine, true);
    } else if (publisher.state === 'disconnected') {
      byId('status').textContent = 'The network is interrupted…';
    } else if (publisher.state === 'failed') {
      stop('The connection to the server was lost. Start again when the network is back.');
    }
  });
  show(true);
  showLink(mount, Boolean(seal));
  try {
    await publisher.connect();
  } catch (error) {
    await stop();
    throw explain(error);
  }
  announce('Sending.');
  const reader = new StatsReader(publisher.pc);
  running.ticker = setInterval(async () => {
    const rows = describe(await reader.read());
    byId('stats').replaceChildren(...rows.flatMap(
      ([label, text]) => [element('dt', {}, label), element('dd', {}, text)]));
  }, 1000);
  byId('stop').focus();
}

async function offerMounts() {
  const sources = await listSources();
  const mounts = sources.filter(({ type }) => type === 'whip');
  byId('mounts').replaceChildren(...mounts.map(({ id, title }) => element('option', { value: id }, title || id)));
  const field = byId('mount');
  if (!field.value) field.value = mounts[0]?.id ?? 'stage';
}

setUpPage();
if (!token) {
  goToLogin();
} else {
  const to = new URLSearchParams(location.search).get('to');
  if (to) byId('mount').value = to;
  if (sharedToken()) byId('mount').readOnly = true;
  if (!session.token) byId('nav').hidden = true;
  else offerMounts().catch(() => { /* The field can be filled by hand. */ });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(byId('start'), message, start);
  });
  byId('copy-link').addEventListener('click', async () => {
    const done = await copy(byId('watch-link').href);
    byId('copied').textContent = done ? 'Copied.' : 'Select the link and copy it yourself.';
  });
  byId('stop').addEventListener('click', () => stop());
  addEventListener('pagehide', () => stop());
}
