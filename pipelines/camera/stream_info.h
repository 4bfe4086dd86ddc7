// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One stream as the camera describes it, in our words.
#pragma once

#include "core/base/bytes.h"
#include "core/rtc/codec.h"
#include "elements/glue/gst_ptr.h"

#include <gst/sdp/gstsdpmessage.h>

#include <optional>
#include <vector>

namespace sotto::camera {

struct StreamInfo {
  unsigned index = 0;  ///< Of the m-line.
  /// The codec as a viewer would be offered it. Names beyond rtc::Codec's list that only occur
  /// here: MPEG4-GENERIC and MP4A-LATM (AAC), JPEG, L16 and whatever else a camera says.
  rtc::Codec codec;
  GstPtr<GstCaps> caps;  ///< application/x-rtp with everything the SDP said.
  /// Encrypted end to end: it is relayed as it came or not at all.
  bool sealed = false;
  /// Parameter sets of the description, as whole NAL units (RFC 6184, 8.1; RFC 7798, 7.1).
  std::vector<Bytes> parameter_sets;
};

/// Nothing for what is neither sound nor pictures coming to us (metadata, back channel).
std::optional<StreamInfo> stream_info(const GstSDPMessage& message, unsigned index);

/// From RTP caps alone, as payloaders make them.
std::optional<StreamInfo> stream_info(GstPtr<GstCaps> rtp_caps, unsigned index);

}  // namespace sotto::camera
