// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Eyes and ears of a test: RTP frames in, picture marks and the pitch of a tone out.
//
//   see(packets) ──► appsrc ! depay ! decoder ! videoconvert ! appsink ──► marks()
#pragma once

#include "core/rtc/codec.h"
#include "elements/glue/gst_ptr.h"
#include "tests/support/rtsp_camera/picture.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace sotto::test {

/// Decodes whole RTP packets of one stream as a viewer would. Thread safe.
class Reader {
 public:
  /// `changed` is called on a streaming thread whenever there is more to ask for.
  explicit Reader(const rtc::Codec& codec, std::function<void()> changed = {});
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void take(ByteView packet);

  /// Marks of the pictures decoded so far, in the order they are shown.
  std::vector<PictureMark> marks() const;
  std::size_t unreadable() const;  ///< Pictures without a mark: grey, torn or foreign.
  std::size_t pictures() const;
  int width() const;
  /// Hertz of the sound decoded so far, by its zero crossings; 0 before half a second of it.
  double pitch() const;
  std::string error() const;  ///< Of the decoder; empty: none.

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sotto::test
