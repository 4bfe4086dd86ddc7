// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Add, test, edit and remove cameras.
import { announce, busy, byId, element, tell } from './dom.js';
import { api } from './session.js';
import { STATES, listCameras } from './sources.js';

const REFRESH_MS = 5000;
const TEXTS = ['url', 'title', 'id', 'user', 'password', 'sub_url', 'transport'];
const SWITCHES = ['keep_warm', 'verify_tls', 'private'];
const form = byId('editor-form');
const editor = byId('editor');
const message = byId('editor-message');
let edited = null; // The camera being edited; null while adding one.
let idTouched = false;

const field = (name) => form.elements.namedItem(name);

function mark(name, text) {
  const place = byId(`${name}-error`);
  place.textContent = text;
  place.hidden = !text;
  if (text) field(name).setAttribute('aria-invalid', 'true');
  else field(name).removeAttribute('aria-invalid');
  return !text;
}

function valid() {
  const url = field('url').value.trim();
  const id = field('id').value.trim();
  const results = [
    ['url', mark('url', /^rtsps?:\/\/[^\s/]+/.test(url) || url === 'demo:' ? ''
      : 'Give the whole address, beginning with rtsp:// or rtsps://.')],
    ['id', mark('id', /^[a-z0-9-]{1,64}$/.test(id) ? ''
      : 'Use 1 to 64 small letters, digits and hyphens.')],
  ];
  const wrong = results.find(([, good]) => !good);
  if (wrong) field(wrong[0]).focus();
  return !wrong;
}

function values() {
  const camera = {};
  for (const name of TEXTS) camera[name] = field(name).value.trim();
  for (const name of SWITCHES) camera[name] = field(name).checked;
  // An empty password of a known camera means: leave it as it is.
  if (edited && !camera.password) delete camera.password;
  return camera;
}

function open(camera) {
  edited = camera;
  idTouched = Boolean(camera);
  form.reset();
  for (const name of TEXTS) field(name).value = camera?.[name] ?? field(name).value;
  for (const name of SWITCHES) {
    if (camera && camera[name] !== undefined) field(name).checked = camera[name];
  }
  field('id').readOnly = Boolean(camera);
  field('password').value = '';
  field('password').placeholder = camera ? 'unchanged' : '';
  mark('url', '');
  mark('id', '');
  tell(message, '');
  byId('editor-title').textContent = camera ? `Edit ${camera.title || camera.id}` : 'Add a camera';
  editor.showModal();
  field('url').focus();
}

/** "Front door!" becomes "front-door". */
function suggestId() {
  if (idTouched) return;
  field('id').value = field('title').value.normalize('NFD').toLowerCase()
    .replace(/[\u0300-\u036f]/g, '').replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 64);
}

function found(result) {
  const tracks = (result.tracks ?? []).map(({ kind, codec, width, height }) =>
    `${kind} ${codec}${width ? ` ${width} × ${height}` : ''}`);
  return tracks.length ? `The camera answers: ${tracks.join(', ')}.` : 'The camera answers.';
}

async function test() {
  if (!valid()) return;
  tell(message, 'Connecting to the camera…');
  const result = await api('POST', '/v1/cameras/test', values(), { timeout: 60000 });
  tell(message, found(result), 'ok');
}

async function save() {
  if (!valid()) return;
  const camera = values();
  if (edited) await api('PUT', `/v1/cameras/${encodeURIComponent(edited.id)}`, camera);
  else await api('POST', '/v1/cameras', camera);
  editor.close();
  const text = `${camera.title || camera.id} is saved.`;
  tell(byId('cameras-status'), text, 'ok');
  await refresh();
}

async function remove(camera) {
  const dialog = byId('confirm');
  const name = camera.title || camera.id;
  byId('confirm-text').textContent = `${name} disappears from the wall, and its viewers are disconnected.`;
  dialog.returnValue = '';
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }));
  if (dialog.returnValue !== 'remove') return;
  try {
    await api('DELETE', `/v1/cameras/${encodeURIComponent(camera.id)}`);
    tell(byId('cameras-status'), `${name} is removed.`, 'ok');
  } catch (error) {
    tell(byId('cameras-status'), error.message, 'error');
  }
  await refresh();
  byId('add').focus();
}

function row(camera) {
  const name = camera.title || camera.id;
  const state = element('span', { class: `state state-${camera.state}` }, STATES[camera.state] ?? camera.state);
  const viewers = camera.viewers ? ` · ${camera.viewers} watching` : '';
  // What the file says is changed in the file.
  const buttons = camera.editable === false
    ? [element('span', { class: 'muted small' }, 'Set in the configuration file')]
    : [
      element('button', { type: 'button', onclick: () => open(camera), 'aria-label': `Edit ${name}` }, 'Edit'),
      element('button', { type: 'button', class: 'danger', onclick: () => remove(camera), 'aria-label': `Remove ${name}` }, 'Remove'),
    ];
  return element('li', { class: 'row', 'data-id': camera.id },
    element('div', { class: 'row-text' },
      element('h3', {}, name),
      element('p', { class: 'muted small' }, camera.url || camera.id),
      element('p', { class: 'small' }, state, viewers, camera.reason ? `: ${camera.reason}` : '')),
    element('div', { class: 'buttons' },
      element('a', { class: 'button', href: `watch.html?id=${encodeURIComponent(camera.id)}`, 'aria-label': `Watch ${name}` }, 'Watch'),
      buttons));
}

let shown = '';

async function refresh() {
  const cameras = await listCameras();
  const text = JSON.stringify(cameras);
  if (text === shown) return; // Rebuilding would take the focus from whoever is in the list.
  const focus = document.activeElement?.getAttribute('aria-label');
  const list = byId('cameras');
  const had = list.contains(document.activeElement);
  list.replaceChildren(...cameras.map(row));
  shown = text;
  byId('no-cameras').hidden = cameras.length > 0;
  if (had) [...list.querySelectorAll('a, button')].find((each) => each.getAttribute('aria-label') === focus)?.focus();
}

async function keepFresh() {
  try {
    await refresh();
    tell(byId('message'), '');
  } catch (error) {
    tell(byId('message'), `${error.message} The page tries again by itself.`, 'error');
  }
  setTimeout(keepFresh, REFRESH_MS);
}

export function setUpCameras() {
  byId('add').addEventListener('click', () => open(null));
  byId('cancel').addEventListener('click', () => editor.close());
  byId('try').addEventListener('click', ({ currentTarget }) => busy(currentTarget, message, test));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(byId('save'), message, save);
  });
  field('title').addEventListener('input', suggestId);
  field('id').addEventListener('input', () => { idTouched = true; });
  editor.addEventListener('close', () => announce(byId('cameras-status').textContent));
  keepFresh();
  if (location.hash === '#add') open(null);
}
