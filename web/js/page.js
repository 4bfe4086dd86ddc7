// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What all pages have: the log-out button.
import { byId } from './dom.js';
import { session } from './session.js';

export function setUpPage() {
  const button = byId('log-out');
  if (!button || !session.token) return;
  button.hidden = false;
  button.addEventListener('click', () => {
    session.forget();
    location.assign('login.html?reason=out');
  });
}
