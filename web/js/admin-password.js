// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A new password for who is logged in. Every older log-in ends with it, so this page takes the new
// one it is answered with.
import { busy, byId, tell } from './dom.js';
import { api, session } from './session.js';

export function setUpPassword() {
  const form = byId('password-form');
  const message = byId('password-message');
  form.elements.username.value = session.name;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(byId('password-change'), message, async () => {
      const { token } = await api('POST', '/v1/password', {
        current: form.elements.current.value, new: form.elements.new.value,
      });
      session.remember(token, session.name);
      form.elements.current.value = '';
      form.elements.new.value = '';
      tell(message, 'The password is changed.');
    });
  });
}
