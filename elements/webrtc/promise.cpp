// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elements/webrtc/promise.h"

#include <memory>
#include <utility>

namespace sotto {
namespace {

using Reply = std::function<void(Result<const GstStructure*>)>;

/// Takes the closure out, so that it is called once and its captures are gone afterwards.
void call(gpointer held, Result<const GstStructure*> result) {
  auto& reply = *static_cast<Reply*>(held);
  if (!reply) return;
  const Reply once = std::exchange(reply, nullptr);
  once(std::move(result));
}

void on_change(GstPromise* promise, gpointer held) {
  if (gst_promise_wait(promise) != GST_PROMISE_RESULT_REPLIED) {
    call(held, fail(ErrorCode::kUnavailable, "webrtcbin: gave no answer"));
    return;
  }
  const GstStructure* reply = gst_promise_get_reply(promise);
  GError* error = nullptr;
  if (reply != nullptr && gst_structure_has_field(reply, "error") != FALSE) {
    gst_structure_get(reply, "error", G_TYPE_ERROR, &error, nullptr);
    // 1.22 fails some operations with an error that is null.
    std::string text = error != nullptr ? error->message : "refused without a reason";
    g_clear_error(&error);
    call(held, fail(ErrorCode::kInvalid, "webrtcbin: " + std::move(text)));
    return;
  }
  call(held, reply);
}

void on_drop(gpointer held) {
  call(held, fail(ErrorCode::kUnavailable, "webrtcbin: dropped the request"));
  delete static_cast<Reply*>(held);
}

}  // namespace

GstPtr<GstPromise> promise_calling(Reply reply) {
  return GstPtr<GstPromise>::adopt(
      gst_promise_new_with_change_func(on_change, new Reply(std::move(reply)), on_drop));
}

Result<DescriptionPtr> make_description(GstWebRTCSDPType type, const std::string& sdp) {
  GstSDPMessage* message = nullptr;
  if (gst_sdp_message_new_from_text(sdp.c_str(), &message) != GST_SDP_OK) {
    if (message != nullptr) gst_sdp_message_free(message);
    return fail(ErrorCode::kParse, "SDP: GStreamer cannot read it");
  }
  return DescriptionPtr(gst_webrtc_session_description_new(type, message));
}

std::string text_of(const GstWebRTCSessionDescription* description) {
  g_autofree gchar* text = gst_sdp_message_as_text(description->sdp);
  return text == nullptr ? std::string{} : std::string(text);
}

}  // namespace sotto
