// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What sealing and opening a frame costs: in the core, in the elements, and beside `identity` and
// bare AES-256-GCM on the same bytes. Processor time of one thread; prints one JSON object.
#include "core/base/random.h"
#include "core/e2ee/frame.h"
#include "core/e2ee/key_file.h"
#include "elements/glue/gst_ptr.h"

#include <CLI/CLI.hpp>
#include <gst/gst.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace sotto;        // NOLINT(google-build-using-namespace): a program of one file.
using namespace sotto::e2ee;  // NOLINT(google-build-using-namespace)

constexpr int kRounds = 15;  // The fastest counts: what disturbs a measurement only ever slows it.
constexpr double kFrameRate = 30;
constexpr double kBitRate = 4e6;  // 1080p30 at 4 Mbit/s.
constexpr std::size_t kFrame1080 = static_cast<std::size_t>(kBitRate / 8 / kFrameRate);

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Seconds of processor for one call.
double time_of(int calls, const std::function<void()>& call) {
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = cpu_seconds();
    for (int i = 0; i < calls; ++i) call();
    best = std::min(best, (cpu_seconds() - begin) / calls);
  }
  return best;
}

int calls_for(std::size_t size) {
  return static_cast<int>(std::max<std::size_t>(200, 20'000'000 / (size + 2000)));
}

/// As `openssl speed -evp aes-256-gcm` does it: one key, a new nonce for each message, no data
/// beside.
double bare_gcm(std::size_t size) {
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  const std::unique_ptr<EVP_CIPHER_CTX, Free> context(EVP_CIPHER_CTX_new());
  const auto key = random_bytes(32);
  Bytes nonce(12);
  const auto in = random_bytes(size);
  Bytes out(size + 16);
  EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data());
  return time_of(calls_for(size), [&] {
    int written = 0;
    ++nonce[0];
    EVP_EncryptInit_ex(context.get(), nullptr, nullptr, nullptr, nonce.data());
    EVP_EncryptUpdate(context.get(), out.data(), &written, in.data(), static_cast<int>(in.size()));
    EVP_EncryptFinal_ex(context.get(), out.data() + size, &written);
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, out.data() + size);
  });
}

Bytes frame_of(Codec codec, std::size_t size) {
  auto body = random_bytes(size);
  for (auto& byte : body)
    byte = std::max<std::uint8_t>(byte, 4);  // As an encoder leaves it: escaped.
  Bytes head;
  switch (codec) {
    case Codec::kVp8: head = {0x31, 1, 0}; break;
    case Codec::kVp9: head = {0x86}; break;
    case Codec::kH264: head = {0, 0, 0, 1, 0x41, 0x9A}; break;
    case Codec::kH265: head = {0, 0, 0, 1, 2, 1, 0xD0}; break;
    case Codec::kAv1: head = {0x12, 0, 0x30}; break;
    case Codec::kOpus: break;
  }
  std::copy(head.begin(), head.end(), body.begin());
  return body;
}

class Buffer : public Output {
 public:
  std::span<std::uint8_t> reserve(std::size_t size) override {
    if (bytes.size() < size) bytes.resize(size);
    return {bytes.data(), size};
  }
  void commit(std::size_t size) override { used = size; }
  Bytes bytes;
  std::size_t used = 0;
};

struct Cost {
  double seal;
  double open;
};

Cost core(Codec codec, std::size_t size) {
  const auto key = random_bytes(32);
  const auto frame = frame_of(codec, size);
  FrameSealer sealer(codec, *sframe::Sealer::make(sframe::kDefaultSuite, random_kid(), key));
  auto store = std::make_shared<sframe::KeyStore>();
  (void)store->add(sframe::kDefaultSuite, 0, sframe::kAnyKid, key);
  FrameOpener opener(codec, store);
  Buffer sealed;
  Cost cost{};
  cost.seal = time_of(calls_for(size), [&] { (void)sealer.seal(frame, sealed); });
  // Opening takes each frame once: as many as are opened are made before.
  const int calls = std::min(calls_for(size), 500);
  std::vector<Bytes> frames;
  Buffer opened;
  cost.open = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    frames.clear();
    for (int i = 0; i < calls; ++i) {
      (void)sealer.seal(frame, sealed);
      frames.emplace_back(sealed.bytes.begin(),
                          sealed.bytes.begin() + static_cast<std::ptrdiff_t>(sealed.used));
    }
    int good = 0;
    const double begin = cpu_seconds();
    for (const auto& each : frames) {
      good += opener.open(each, opened).verdict == sframe::Verdict::kOk ? 1 : 0;
    }
    cost.open = std::min(cost.open, (cpu_seconds() - begin) / calls);
    if (good != calls) throw std::runtime_error("a frame did not open");
  }
  return cost;
}

const char* caps_of(Codec codec) {
  switch (codec) {
    case Codec::kVp8: return "video/x-vp8";
    case Codec::kVp9: return "video/x-vp9";
    case Codec::kH264: return "video/x-h264, stream-format=byte-stream, alignment=au";
    case Codec::kH265: return "video/x-h265, stream-format=byte-stream, alignment=au";
    case Codec::kAv1: return "video/x-av1, stream-format=obu-stream, alignment=tu";
    case Codec::kOpus: return "audio/x-opus";
  }
  return "";
}

/// One element between two pads of ours, pushed into by this thread.
class Stage {
 public:
  Stage(const char* factory, const char* caps, const std::string& key_file)
      : element_(GstPtr<GstElement>::sink(gst_element_factory_make(factory, nullptr))),
        from_(GstPtr<GstPad>::sink(gst_pad_new("from", GST_PAD_SRC))),
        to_(GstPtr<GstPad>::sink(gst_pad_new("to", GST_PAD_SINK))) {
    if (!element_) throw std::runtime_error(std::string(factory) + " is missing");
    if (!key_file.empty()) g_object_set(element_.get(), "key-file", key_file.c_str(), nullptr);
    gst_pad_set_chain_function(to_.get(), [](GstPad* pad, GstObject*, GstBuffer* buffer) {
      auto* kept = static_cast<std::vector<GstBuffer*>*>(gst_pad_get_element_private(pad));
      if (kept != nullptr) {
        kept->push_back(buffer);
      } else {
        gst_buffer_unref(buffer);
      }
      return GST_FLOW_OK;
    });
    const auto sink = GstPtr<GstPad>::adopt(gst_element_get_static_pad(element_.get(), "sink"));
    const auto src = GstPtr<GstPad>::adopt(gst_element_get_static_pad(element_.get(), "src"));
    gst_pad_link(from_.get(), sink.get());
    gst_pad_link(src.get(), to_.get());
    gst_pad_set_active(to_.get(), TRUE);
    gst_pad_set_active(from_.get(), TRUE);
    gst_element_set_state(element_.get(), GST_STATE_PLAYING);
    gst_pad_push_event(from_.get(), gst_event_new_stream_start("bench"));
    const auto parsed = GstPtr<GstCaps>::adopt(gst_caps_from_string(caps));
    gst_pad_push_event(from_.get(), gst_event_new_caps(parsed.get()));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(from_.get(), gst_event_new_segment(&segment));
  }
  ~Stage() {
    gst_element_set_state(element_.get(), GST_STATE_NULL);
    gst_pad_set_active(from_.get(), FALSE);
    gst_pad_set_active(to_.get(), FALSE);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  void keep(std::vector<GstBuffer*>* kept) { gst_pad_set_element_private(to_.get(), kept); }
  void push(GstBuffer* buffer) {
    if (gst_pad_push(from_.get(), buffer) != GST_FLOW_OK) throw std::runtime_error("push failed");
  }

 private:
  GstPtr<GstElement> element_;
  GstPtr<GstPad> from_;
  GstPtr<GstPad> to_;
};

GstBuffer* buffer_of(const Bytes& bytes) {
  auto* buffer = gst_buffer_new_allocate(nullptr, bytes.size(), nullptr);
  gst_buffer_fill(buffer, 0, bytes.data(), bytes.size());
  return buffer;
}

double identity(std::size_t size) {
  Stage stage("identity", "audio/x-opus", "");
  const auto buffer = GstPtr<GstBuffer>::adopt(buffer_of(random_bytes(size)));
  return time_of(calls_for(size), [&] { stage.push(gst_buffer_ref(buffer.get())); });
}

Cost elements(Codec codec, std::size_t size, const std::string& key_file) {
  Stage seal("e2ee-encrypt", caps_of(codec), key_file);
  Stage open("e2ee-decrypt", caps_of(codec), key_file);
  const auto frame = GstPtr<GstBuffer>::adopt(buffer_of(frame_of(codec, size)));
  Cost cost{};
  cost.seal = time_of(calls_for(size), [&] { seal.push(gst_buffer_ref(frame.get())); });
  const int calls = std::min(calls_for(size), 500);
  std::vector<GstBuffer*> sealed;
  std::vector<GstBuffer*> opened;
  cost.open = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    sealed.clear();
    seal.keep(&sealed);
    for (int i = 0; i < calls; ++i) seal.push(gst_buffer_ref(frame.get()));
    seal.keep(nullptr);
    std::size_t passed = 0;
    open.keep(round == 0 ? &opened : nullptr);
    const double begin = cpu_seconds();
    for (auto* buffer : sealed) open.push(buffer);
    if (round != 0) cost.open = std::min(cost.open, (cpu_seconds() - begin) / calls);
    passed = opened.size();
    if (round == 0 && passed != sealed.size()) throw std::runtime_error("a frame did not open");
    if (round == 0) {
      for (auto* buffer : opened) gst_buffer_unref(buffer);
    }
  }
  return cost;
}

nlohmann::json measure(Codec codec, const std::vector<std::size_t>& sizes,
                       const std::string& key_file) {
  nlohmann::json out;
  for (const auto size : sizes) {
    // Before and after, so that a busy moment of the machine does not flatter the ratio.
    auto bare = bare_gcm(size);
    const auto plain = core(codec, size);
    const auto element = elements(codec, size, key_file);
    bare = std::min(bare, bare_gcm(size));
    out["sizes"][std::to_string(size)] = {
        {"core_seal_us", plain.seal * 1e6},       {"core_open_us", plain.open * 1e6},
        {"element_seal_us", element.seal * 1e6},  {"element_open_us", element.open * 1e6},
        {"identity_us", identity(size) * 1e6},    {"aes256gcm_us", bare * 1e6},
        {"core_vs_aes256gcm", bare / plain.seal}, {"element_vs_aes256gcm", bare / element.seal}};
    if (size == 10000) {
      out["frames_per_s"] = 1 / element.seal;
      out["bytes_per_s"] = static_cast<double>(size) / element.seal;
      out["vs_aes256gcm"] = bare / plain.seal;
      out["element_vs_aes256gcm"] = bare / element.seal;
    }
  }
  const auto stream = elements(codec, kFrame1080, key_file);
  // Of the costlier end: one sends or receives.
  out["core_share_1080p30"] = std::max(stream.seal, stream.open) * kFrameRate;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  CLI::App app("Cost of sealing and opening frames; one JSON object on standard output.");
  std::vector<std::size_t> sizes = {100, 1000, 10000, 100000};
  app.add_option("--sizes", sizes, "Frame sizes in bytes")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::string folder = (std::filesystem::temp_directory_path() / "sotto-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const auto key_file = (std::filesystem::path(folder) / "key").string();
  nlohmann::json out;
  try {
    if (!write_key_file(key_file, new_file_key(sframe::kDefaultSuite))) return 1;
    for (const auto codec :
         {Codec::kVp8, Codec::kVp9, Codec::kH264, Codec::kH265, Codec::kAv1, Codec::kOpus}) {
      out[std::string(name_of(codec))] = measure(codec, sizes, key_file);
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
  std::filesystem::remove_all(folder);
  std::cout << out.dump() << std::endl;
  return out.size() == 6 ? 0 : 1;
}
