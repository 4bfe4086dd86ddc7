// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The worker of web/e2ee with a tap in front of it.
import './e2ee-tap.js';
import '/web/e2ee/worker.js';
