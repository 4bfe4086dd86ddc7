// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Links for people without a log-in: a token with one scope and an end, after the # of the address,
// where no server and no referrer sees it.
import { busy, byId, copy, element, tell } from './dom.js';
import { api, session } from './session.js';
import { listSources } from './sources.js';

function link(what, verb, token) {
  const page = { view: `watch.html?id=${what}`, publish: `publish.html?to=${what}` }[verb];
  return `${new URL(page, document.baseURI)}#token=${token}`;
}

export function setUpShare() {
  const message = byId('share-message');
  const form = byId('share');
  const fill = async () => {
    const publishing = byId('share-verb').value === 'publish';
    const sources = (await listSources()).filter(({ type }) => !publishing || type === 'whip');
    byId('share-what').replaceChildren(
      ...sources.map(({ id, title }) => element('option', { value: id }, title || id)));
    tell(message, sources.length || !publishing ? ''
      : 'There is no place to publish to yet: name one under [[mounts]] in the configuration file.');
  };
  fill().catch((error) => tell(message, error.message, 'error'));
  byId('share-verb').addEventListener('change', () => fill().catch((error) => tell(message, error.message, 'error')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(byId('share-make'), message, async () => {
      const { what, verb, life } = Object.fromEntries(new FormData(form));
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
    });
  });
  byId('share-copy').addEventListener('click', async ({ currentTarget }) => {
    const field = byId('share-link');
    const done = await copy(field.value);
    if (!done) field.select();
    currentTarget.textContent = done ? 'Copied' : 'Press Ctrl+C';
  });
}
