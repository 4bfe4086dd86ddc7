// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The admin page: its parts, each in a module of its own.
import { byId, tell } from './dom.js';
import { setUpCameras } from './admin-cameras.js';
import { setUpPassword } from './admin-password.js';
import { setUpShare } from './admin-share.js';
import { setUpPage } from './page.js';
import { at, server } from './server.js';
import { requireLogin, session } from './session.js';

setUpPage();
if (requireLogin()) {
  if (!session.isAdmin) {
    tell(byId('message'), 'Your log-in may not change anything here. Log out and log in as the administrator.', 'error');
  }
  if (server().startsWith('https:')) byId('https-address').textContent = server();
  byId('ca').href = at('/v1/ca.pem');
  setUpShare();
  setUpPassword();
  setUpCameras();
}
