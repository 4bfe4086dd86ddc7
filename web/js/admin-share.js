// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Links for people without a log-in: a token with one scope and an end, after the # of the address,
// where no server and no referrer sees it.
import { announce, busy, byId, copy, element, tell } from './dom.js';
import { serverForLinks } from './server.js';
import { api, session } from './session.js';
import { listSources } from './sources.js';

function link(what, verb, token) {
  const page = { view: `watch.html?id=${what}`, publish: `publish.html?to=${what}` }[verb];
  return `${new URL(page, document.baseURI)}#token=${token}${serverForLinks()}`;
}

const when = (seconds) => new Date(seconds * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });

function row({ id, subject, scopes, expires }, refresh) {
  const [, what, verb] = /^stream:([^:]+):(view|publish)$/.exec(scopes[0]) ?? [null, scopes.join(', '), ''];
  const name = `${{ view: 'Watching', publish: 'Publishing to' }[verb] ?? 'Using'} ${what}`;
  const revoke = async ({ currentTarget }) => busy(currentTarget, byId('share-message'), async () => {
    await api('DELETE', `/v1/tokens/${encodeURIComponent(id)}`);
    announce(`${name} is revoked.`);
    await refresh();
    byId('share-make').focus();
  });
  return element('li', { class: 'row' },
    element('div', { class: 'row-text' }, element('p', {}, name),
      element('p', { class: 'muted small' }, `${subject} · until ${when(expires)}`)),
    element('button', { type: 'button', class: 'danger', onclick: revoke, 'aria-label': `Revoke: ${name}, until ${when(expires)}` }, 'Revoke'));
}

async function listLinks() {
  const { tokens } = await api('GET', '/v1/tokens');
  byId('links-title').hidden = tokens.length === 0;
  byId('links').replaceChildren(...tokens.map((token) => row(token, listLinks)));
}

export function setUpShare() {
  const message = byId('share-message');
  const form = byId('share');
  const fill = async () => {
    const sources = await listSources();
    byId('share-what').replaceChildren(
      ...sources.map(({ id, title }) => element('option', { value: id }, title || id)));
    byId('share-places').replaceChildren(
      ...sources.filter(({ type }) => type === 'whip').map(({ id }) => element('option', { value: id })));
  };
  const choose = () => {
    const publishing = byId('share-verb').value === 'publish';
    byId('share-source').hidden = publishing;
    byId('share-place').hidden = !publishing;
    byId('share-name').required = publishing;
  };
  listLinks().catch((error) => tell(message, error.message, 'error'));
  fill().catch((error) => tell(message, error.message, 'error'));
  byId('share-verb').addEventListener('change', choose);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(byId('share-make'), message, async () => {
      const { source, place, verb, life } = Object.fromEntries(new FormData(form));
      const what = verb === 'publish' ? place : source;
      if (!what) throw new Error('Choose what to share first.');
      const { token } = await api('POST', '/v1/tokens', {
        subject: `link by ${session.name}`, scopes: [`stream:${what}:${verb}`], seconds: Number(life),
      });
      tell(message, '');
      byId('share-result').hidden = false;
      const field = byId('share-link');
      field.value = link(encodeURIComponent(what), verb, token);
      field.focus();
      field.select();
      await listLinks();
    });
  });
  byId('share-copy').addEventListener('click', async ({ currentTarget }) => {
    const field = byId('share-link');
    const done = await copy(field.value);
    if (!done) field.select();
    currentTarget.textContent = done ? 'Copied' : 'Press Ctrl+C';
  });
}
