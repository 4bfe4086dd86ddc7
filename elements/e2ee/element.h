// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What e2ee-encrypt and e2ee-decrypt do alike.
#pragma once

#include "core/agent/message.h"
#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/sframe/suite.h"

#include <gst/base/gstbasetransform.h>

#include <functional>
#include <memory>
#include <string>

namespace sotto {

class AgentClient;

/// Paused or playing.
bool is_running(GstElement* element);

/// A line to the agent at `address`, which posts the element message `key-agent` (fields connected,
/// reason) when the agent comes or goes. `received` is called from another thread and outlives the
/// client.
Result<std::shared_ptr<AgentClient>> make_agent_client(
    GstElement* element, const std::string& address, agent::Role role,
    std::function<void(const agent::Message&)> received);

/// Empty for null.
ByteView view_of(GBytes* bytes);

/// Null for a number that is no suite of ours.
const sframe::SuiteInfo* suite_of(guint number);

void post_error(GstElement* element, const Error& error);
/// An element message; takes `structure`.
void post(GstElement* element, GstStructure* structure);

/// Takes `caps`; what of them `filter` (may be null) leaves, in its order.
GstCaps* narrowed(GstCaps* caps, GstCaps* filter);

/// Null for an empty path, as it was set.
void set_path(GValue* value, const std::string& path);

/// For decide_allocation: frames change their size, so nobody else's pool fits.
gboolean refuse_pools(GstBaseTransform* element, GstQuery* query);

/// A write-only GBytes property, which may be set while playing.
void install_secret(GObjectClass* klass, guint id, const char* name, const char* nick,
                    const char* blurb);
/// A path property, which may be set while playing.
void install_key_file(GObjectClass* klass, guint id, const char* name, const char* nick,
                      const char* blurb);

/// An action signal `name (kid, suite, key)` that says whether the key was taken.
void install_key_signal(GType type, const char* name, GCallback handler);

}  // namespace sotto
