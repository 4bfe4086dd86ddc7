// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/camera/output.h"

#include "elements/glue/main_context.h"
#include "pipelines/camera/pass_through.h"
#include "pipelines/camera/recipes.h"
#include "pipelines/camera/rtp_converter.h"

#include <utility>

namespace sotto::camera {

Output::Output(MainContext& loop, rtc::Codec codec, bool as_it_came)
    : loop_(loop),
      as_it_came_(as_it_came),
      lead_(std::make_shared<Lead>(rtc::Track::create(std::move(codec)))),
      self_(std::make_shared<Output*>(this)) {}

Output::~Output() { unplug(); }

void Output::supply_from(const std::shared_ptr<Ingest>& ingest) {
  const StreamInfo& stream = ingest->stream();
  const bool same = stream.codec.name == codec().name;
  const bool playable = !ingest->findings().reordered;
  // Called on threads that may outlive us and the owner of our loop.
  const auto on_failed = [loop = std::make_shared<MainContext>(loop_.raw()),
                          weak = std::weak_ptr<Output*>(self_)](Error error) {
    loop->post([weak, error = std::move(error)] {
      if (const auto self = weak.lock()) (*self)->end(error);
    });
  };
  if (as_it_came_ && same && playable) {
    if (ingest == ingest_ && !transcoding_) return;
    unplug();
    attach(ingest, std::make_shared<PassThrough>(stream, lead_->new_supply(), on_failed));
    return;
  }
  if (ingest == ingest_ && transcoding_) return;
  auto recipe = transcode(stream.codec, codec().name);
  if (!recipe) {
    const std::string why =
        same ? "the camera sends B-frames, which its viewers cannot show: open it again"
             : "the camera now sends " + stream.codec.name + ", which cannot become the " +
                   codec().name + " its viewers were promised";
    end({ErrorCode::kUnsupported, why});
    return;
  }
  unplug();
  auto converter =
      RtpConverter::create({*recipe, stream.caps, stream.codec, lead_->new_supply(), on_failed});
  if (!converter) {
    end(converter.error());
    return;
  }
  // Only an encoder can be asked; a camera over RTSP cannot, its ring answers instead.
  track()->set_keyframe_requester([weak = std::weak_ptr<RtpConverter>(*converter)] {
    if (const auto still = weak.lock()) still->request_keyframe();
  });
  transcoding_ = true;
  attach(ingest, *converter);
}

void Output::attach(const std::shared_ptr<Ingest>& ingest,
                    const std::shared_ptr<rtc::FrameReceiver>& receiver) {
  ingest_ = ingest;
  receiver_ = receiver;
  ingest_->add(receiver_);
}

void Output::unplug() {
  if (ingest_) ingest_->remove(receiver_);
  if (transcoding_) track()->set_keyframe_requester({});
  lead_->cut();
  ingest_.reset();
  receiver_.reset();
  transcoding_ = false;
}

unsigned Output::on_end(std::function<void(Error)> ended) {
  endings_.emplace(next_handle_, std::move(ended));
  return next_handle_++;
}

void Output::forget(unsigned handle) { endings_.erase(handle); }

void Output::end(Error error) {
  unplug();
  // A feed that hears of its end is destroyed, and may take us with it.
  auto endings = std::exchange(endings_, {});
  for (auto& [handle, ended] : endings) ended(error);
}

}  // namespace sotto::camera
