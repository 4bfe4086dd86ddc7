// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Log-in: name and password become a token for this tab.
import { bundleHash } from './bundle.js';
import { busy, byId, tell } from './dom.js';
import { hintedServer, isServedByServer, server, serverOrigin, useServer } from './server.js';
import { api, session } from './session.js';

const REASONS = {
  expired: 'Your log-in has ended. Log in again to go on.',
  out: 'You are logged out.',
};

// Only pages of ours: an address from outside must not decide where a log-in leads.
function destination() {
  const next = new URLSearchParams(location.search).get('next') ?? '';
  return /^(index|watch|publish|admin|group)\.html(\?[^#]*)?$/.test(next) ? next : 'index.html';
}

const form = byId('form');
const password = byId('password');
const message = byId('message');
const where = byId('server');

const reason = REASONS[new URLSearchParams(location.search).get('reason')];
if (reason) tell(byId('reason'), reason);

byId('reveal').addEventListener('click', ({ currentTarget }) => {
  const show = password.type === 'password';
  password.type = show ? 'text' : 'password';
  currentTarget.setAttribute('aria-pressed', String(show));
  currentTarget.textContent = show ? 'Hide' : 'Show';
});

/** Pages from elsewhere ask which server is meant; whoever reads the address decides, not a link. */
async function askForServer() {
  if (await isServedByServer()) {
    useServer(location.origin);
    return;
  }
  where.value = hintedServer() || (server() === location.origin ? '' : server());
  where.required = true;
  byId('server-part').hidden = false;
  (where.value ? password : where).focus();
}
const asked = askForServer();

form.addEventListener('submit', (event) => {
  event.preventDefault();
  busy(byId('submit'), message, async () => {
    tell(message, '');
    await asked;
    if (where.required) {
      const origin = serverOrigin(where.value.trim());
      if (!origin) throw new Error('This is no address of a server. It looks like https://camera.example.org:8443.');
      useServer(origin);
      history.replaceState(null, '', location.pathname + location.search);
    }
    try {
      const { token } = await api('POST', '/v1/login',
        { name: form.elements.namedItem('name').value.trim(), password: password.value.trim() },
        { login: false });
      session.remember(token, form.elements.namedItem('name').value.trim());
      location.assign(destination());
    } catch (error) {
      if (error.status === 0 && where.required) {
        throw new Error(`${error.message} It must also name ${location.origin} among its page_origins.`);
      }
      if (error.status !== 401) throw error;
      byId('where').open = true;
      tell(message, 'Name and password do not match. Below it says where the password is.', 'error');
      password.select();
      password.focus();
    }
  });
});

byId('bundle').addEventListener('toggle', async () => {
  byId('bundle-hash').textContent = await bundleHash().catch(({ message: why }) => why);
});

(session.token && !reason ? () => location.replace(destination()) : () => password.focus())();
