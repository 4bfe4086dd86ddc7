// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Promises of webrtcbin with C++ closures, and session descriptions as text.
#pragma once

#include "core/base/error.h"
#include "elements/glue/gst_ptr.h"

#include <gst/webrtc/webrtc.h>

#include <functional>
#include <string>

namespace sotto {

/// Calls back once, on webrtcbin's own thread, with the reply (null where the operation has none)
/// or the error. A promise that is dropped unanswered calls with kUnavailable. The action signal
/// takes a reference of its own. Never wait for another promise inside: it is answered by this
/// thread.
GstPtr<GstPromise> promise_calling(std::function<void(Result<const GstStructure*>)> reply);

struct DescriptionDeleter {
  void operator()(GstWebRTCSessionDescription* d) const { gst_webrtc_session_description_free(d); }
};
using DescriptionPtr = std::unique_ptr<GstWebRTCSessionDescription, DescriptionDeleter>;

Result<DescriptionPtr> make_description(GstWebRTCSDPType type, const std::string& sdp);
std::string text_of(const GstWebRTCSessionDescription* description);

}  // namespace sotto
