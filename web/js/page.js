// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What all pages have: the log-out button.
import { byId } from './dom.js';
import { api, dropRequests, session } from './session.js';

export function setUpPage() {
  const button = byId('log-out');
  if (!button || !session.token) return;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const { token, tokenId } = session;
    session.forget();
    dropRequests();
    // The server forgets the token, too. It ends by itself should the server not be there.
    if (tokenId) {
      await api('DELETE', `/v1/tokens/${encodeURIComponent(tokenId)}`, undefined, { token, timeout: 3000 })
        .catch(() => {});
    }
    location.assign('login.html?reason=out');
  });
}
