// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-e2ee-encrypt
 * @title: e2ee-encrypt
 * @short_description: Seals encoded frames so that only holders of the key can see them
 *
 * Stands between encoder and payloader. Each frame becomes a small clear shim, which payloaders can
 * live with, and the SFrame ciphertext (RFC 9605) of the whole frame; `docs/encodings.md` gives
 * every byte. Stock payloaders and whip-sink take the result; put no parser behind this element.
 *
 * |[
 *   encoder ─► e2ee-encrypt ─► rtp…pay ─► … server … ─► rtp…depay ─► e2ee-decrypt ─► decoder
 * ]|
 *
 * Without a key no frame passes; the element message `key-needed` says so. Keys come from
 *
 * - `key-file`, which `sotto keys new` writes: every start of every element draws a KID of its own,
 *   so that no two runs ever share a key, and draws another after 2^24 frames;
 * - `key-agent`, a Unix socket where `sotto keys agent` or another program gives each sender a key
 * of its own and another one by time, count or command. Its start waits for the first key, two
 * seconds at most; while no agent is there the last key seals on, for twice as many frames as it
 * was given for at most;
 * - the `key` property or the action signal `set-key (kid, suite, key)`. Each (KID, key) may be
 * given to one sender of one track only, once; its counter goes on when the element is stopped and
 *   started. The element refuses one that it used before.
 *
 * Either may be changed while playing; `key-changed` (fields `kid`, `suite`) is posted with the
 * first frame under the new key. `second-key-file`, `second-key` and `set-second-key` add an inner
 * layer from an independent secret. `clear-keys` wipes all keys: nothing passes until new ones are
 * given.
 *
 * The output has the field `e2ee=(string)sframe` in its caps. Payloaders drop it, and so a decoder
 * behind a depayloader would accept ciphertext: `caps-mode=strict` gives caps that nothing but
 * e2ee-decrypt takes, for use within one process.
 *
 * ## Example
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! vp8enc deadline=1 keyframe-max-dist=60 ! \
 *   e2ee-encrypt key-file=test.key ! whip-sink location=http://localhost:8080/whip/test
 * ]|
 */
#include "elements/e2ee/gste2eeencrypt.h"

#include "core/e2ee/frame.h"
#include "core/e2ee/key_file.h"
#include "core/e2ee/key_message.h"
#include "elements/e2ee/agent_client.h"
#include "elements/e2ee/buffer.h"
#include "elements/e2ee/caps.h"
#include "elements/e2ee/element.h"

#include <gst/video/video.h>
#include <sodium.h>

#include <array>
#include <memory>
#include <mutex>
#include <set>
#include <string>

GST_DEBUG_CATEGORY_STATIC(gst_e2ee_encrypt_debug);
#define GST_CAT_DEFAULT gst_e2ee_encrypt_debug

namespace {

using sotto::ByteView;
using sotto::CapsMode;
using sotto::Error;
using sotto::ErrorCode;
using sotto::GstPtr;
using sotto::Limiter;
using sotto::Result;
using sotto::e2ee::FileKey;
using sotto::e2ee::FrameSealer;
using sotto::sframe::Sealer;
using sotto::sframe::Verdict;

enum Property {
  kPropKeyFile = 1,
  kPropSecondKeyFile,
  kPropKey,
  kPropSecondKey,
  kPropKeyAgent,
  kPropCapsMode,
  kPropStats,
};

constexpr auto kDefaultCapsMode = CapsMode::kCompatible;
// After this many frames a key file's sender draws another KID: far below AES-GCM's limits.
constexpr std::uint64_t kFramesPerKid = 1ULL << 24U;
constexpr std::size_t kMaxUsedKeys = 65536;  // Remembered; a rotation every second for 18 hours.

GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(SOTTO_E2EE_CODEC_CAPS));
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(SOTTO_E2EE_CODEC_CAPS "; " SOTTO_E2EE_STRICT_CAPS));

/// The layer that payloaders see, and the one within it.
enum class Layer { kOuter, kInner };

using Fingerprint = std::array<std::uint8_t, 16>;

Fingerprint fingerprint(sotto::sframe::Suite suite, guint64 kid, ByteView key) {
  Fingerprint out;
  const auto number = static_cast<guint16>(suite);
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, out.size());
  crypto_generichash_update(&state, reinterpret_cast<const guint8*>(&number), sizeof number);
  crypto_generichash_update(&state, reinterpret_cast<const guint8*>(&kid), sizeof kid);
  crypto_generichash_update(&state, key.data(), key.size());
  crypto_generichash_final(&state, out.data(), out.size());
  sodium_memzero(&state, sizeof state);
  return out;
}

/// How one layer gets its keys.
struct LayerKeys {
  std::string path;  // key-file
  FileKey file;      // What was in it; empty when the key came another way.
  Fingerprint current{};
  std::set<Fingerprint> used;
  guint64 limit = 0;  // Frames after which the agent is told; 0: the key is not the agent's.
  bool told = false;
};

struct Stats {
  guint64 frames = 0;
  guint64 bytes_in = 0;
  guint64 bytes_out = 0;
  guint64 dropped = 0;
  guint64 refused = 0;
  guint64 dtx = 0;
  guint64 keys = 0;
};

}  // namespace

struct GstE2eeEncryptPrivate {
  std::mutex mutex;  // Protects everything below; nothing is pushed, posted or emitted under it.
  LayerKeys outer;
  LayerKeys inner;
  FrameSealer sealer{sotto::e2ee::Codec::kVp8};
  CapsMode caps_mode = kDefaultCapsMode;
  sotto::e2ee::Codec codec = sotto::e2ee::Codec::kVp8;
  Stats stats;
  std::string agent_address;  // key-agent
  std::shared_ptr<sotto::AgentClient> agent;
  bool starved = false;   // Frames were dropped for want of a key since the last one that passed.
  guint64 announced = 0;  // How many keys key-changed was posted for.
  Limiter needed;
  bool warned = false;
};

struct _GstE2eeEncrypt {
  GstBaseTransform parent;
  GstE2eeEncryptPrivate* priv;
};

G_DEFINE_FINAL_TYPE(GstE2eeEncrypt, gst_e2ee_encrypt, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(e2ee_encrypt, "e2ee-encrypt", GST_RANK_NONE, GST_TYPE_E2EE_ENCRYPT)

namespace {

LayerKeys& keys_of(GstE2eeEncryptPrivate& priv, Layer layer) {
  return layer == Layer::kOuter ? priv.outer : priv.inner;
}

/// Puts a key in; with the lock held.
Result<> use_key(GstE2eeEncryptPrivate& priv, Layer layer, sotto::sframe::Suite suite, guint64 kid,
                 ByteView key) {
  auto& keys = keys_of(priv, layer);
  const auto print = fingerprint(suite, kid, key);
  const auto& now = layer == Layer::kOuter ? priv.sealer.outer() : priv.sealer.inner();
  if (now && print == keys.current) return {};  // Its counter goes on.
  if (keys.used.count(print) != 0) {
    return sotto::fail(ErrorCode::kConflict, "this KID and key were used before");
  }
  if (keys.used.size() >= kMaxUsedKeys) {
    return sotto::fail(ErrorCode::kTooLarge, "too many keys for one element; make a new one");
  }
  auto sealer = Sealer::make(suite, kid, key);
  if (!sealer) return tl::unexpected<Error>(sealer.error());
  keys.used.insert(print);
  keys.current = print;
  if (layer == Layer::kOuter) {
    priv.sealer.set_outer(std::move(*sealer));
  } else {
    priv.sealer.set_inner(std::move(*sealer));
    priv.sealer.set_two_layers(true);
  }
  ++priv.stats.keys;
  return {};
}

/// A new KID under the file's key; with the lock held.
Result<> draw(GstE2eeEncryptPrivate& priv, Layer layer) {
  const auto& keys = keys_of(priv, layer);
  return use_key(priv, layer, keys.file.suite, sotto::e2ee::random_kid(), keys.file.key.view());
}

void forget(GstE2eeEncryptPrivate& priv, Layer layer) {
  if (layer == Layer::kOuter) {
    priv.sealer.set_outer({});
  } else {
    priv.sealer.set_inner({});
  }
  auto& keys = keys_of(priv, layer);
  keys.file = {};
  keys.limit = 0;
}

/// Reads the file of a layer anew. What was there before is gone, whether it works or not.
Result<> load(GstE2eeEncrypt* self, Layer layer) {
  auto& priv = *self->priv;
  std::string path;
  {
    const std::lock_guard lock(priv.mutex);
    path = keys_of(priv, layer).path;
  }
  auto file = sotto::e2ee::read_key_file(path);
  const std::lock_guard lock(priv.mutex);
  forget(priv, layer);
  if (layer == Layer::kInner) priv.sealer.set_two_layers(true);
  if (!file) return tl::unexpected<Error>(file.error());
  keys_of(priv, layer).file = std::move(*file);
  return draw(priv, layer);
}

bool set_key(GstE2eeEncrypt* self, Layer layer, guint64 kid, guint suite, ByteView key) {
  const auto* info = sotto::suite_of(suite);
  if (info == nullptr) {
    GST_WARNING_OBJECT(self, "key refused: unknown cipher suite %u", suite);
    return false;
  }
  const std::lock_guard lock(self->priv->mutex);
  const auto used = use_key(*self->priv, layer, info->suite, kid, key);
  if (!used) {
    GST_WARNING_OBJECT(self, "key refused: %s", used.error().message.c_str());
    return false;
  }
  keys_of(*self->priv, layer).file = {};
  keys_of(*self->priv, layer).limit = 0;
  return true;
}

void from_agent(GstE2eeEncrypt* self, const sotto::agent::Message& message) {
  const auto* with = std::get_if<sotto::agent::SealWith>(&message);
  if (with == nullptr) return;
  const auto layer = with->layer == sotto::agent::Layer::kOuter ? Layer::kOuter : Layer::kInner;
  const std::lock_guard lock(self->priv->mutex);
  const auto used = use_key(*self->priv, layer, with->suite, with->kid, with->key.view());
  if (!used) {
    GST_WARNING_OBJECT(self, "the agent's key was refused: %s", used.error().message.c_str());
    return;
  }
  auto& keys = keys_of(*self->priv, layer);
  keys.file = {};
  keys.limit = with->frames;
  keys.told = false;
}

/// Not for a streaming thread: it may wait for the client's.
void leave_agent(GstE2eeEncrypt* self) {
  std::shared_ptr<sotto::AgentClient> before;
  {
    const std::lock_guard lock(self->priv->mutex);
    before = std::move(self->priv->agent);
  }
  before.reset();
  const std::lock_guard lock(self->priv->mutex);
  for (const auto layer : {Layer::kOuter, Layer::kInner}) {
    if (keys_of(*self->priv, layer).limit != 0) forget(*self->priv, layer);
  }
}

Result<> join_agent(GstE2eeEncrypt* self, bool wait) {
  leave_agent(self);
  std::string address;
  bool both = false;
  {
    const std::lock_guard lock(self->priv->mutex);
    address = self->priv->agent_address;
    both = !self->priv->outer.path.empty() || !self->priv->inner.path.empty();
  }
  if (address.empty()) return {};
  if (both) return sotto::fail(ErrorCode::kInvalid, "either key-agent or key-file, not both");
  auto client = sotto::make_agent_client(
      GST_ELEMENT(self), address, sotto::agent::Role::kSeal,
      [self](const sotto::agent::Message& message) { from_agent(self, message); });
  if (!client) return tl::unexpected<Error>(client.error());
  // Whoever comes later gets its frames dropped until then, and a keyframe after.
  if (wait) (void)(*client)->wait_for_first(sotto::AgentClient::kStartWithin);
  const std::lock_guard lock(self->priv->mutex);
  self->priv->agent = std::move(*client);
  return {};
}

void set_key_agent(GstE2eeEncrypt* self, const GValue* value) {
  const char* address = g_value_get_string(value);
  {
    const std::lock_guard lock(self->priv->mutex);
    self->priv->agent_address = address == nullptr ? "" : address;
  }
  if (!sotto::is_running(GST_ELEMENT(self))) return;
  if (const auto joined = join_agent(self, false); !joined) {
    sotto::post_error(GST_ELEMENT(self), joined.error());
  }
}

void set_key_message(GstE2eeEncrypt* self, Layer layer, const GValue* value) {
  auto* bytes = static_cast<GBytes*>(g_value_get_boxed(value));
  if (bytes == nullptr) {
    const std::lock_guard lock(self->priv->mutex);
    forget(*self->priv, layer);
    return;
  }
  const auto message = sotto::e2ee::parse_key_message(sotto::view_of(bytes));
  if (!message) {
    sotto::post_error(GST_ELEMENT(self), message.error());
  } else if (!set_key(self, layer, message->kid, static_cast<guint>(message->suite),
                      message->key.view())) {
    sotto::post_error(GST_ELEMENT(self), {ErrorCode::kConflict, "the key was refused"});
  }
}

void set_key_file(GstE2eeEncrypt* self, Layer layer, const GValue* value) {
  const char* path = g_value_get_string(value);
  bool running = false;
  {
    const std::lock_guard lock(self->priv->mutex);
    auto& keys = keys_of(*self->priv, layer);
    keys.path = path == nullptr ? "" : path;
    GST_OBJECT_LOCK(self);
    running = GST_STATE(self) >= GST_STATE_PAUSED;
    GST_OBJECT_UNLOCK(self);
    if (keys.path.empty()) {
      if (!keys.file.key.empty()) forget(*self->priv, layer);
      if (layer == Layer::kInner) self->priv->sealer.set_two_layers(false);
      return;
    }
  }
  if (!running) return;  // Read at the start.
  if (const auto loaded = load(self, layer); !loaded)
    sotto::post_error(GST_ELEMENT(self), loaded.error());
}

void report_missing_key(GstE2eeEncrypt* self) {
  guint64 count = 0;
  bool warn = false;
  {
    const std::lock_guard lock(self->priv->mutex);
    count = self->priv->needed.pass();
    warn = count != 0 && !std::exchange(self->priv->warned, true);
  }
  if (count == 0) return;
  sotto::post(GST_ELEMENT(self),
              gst_structure_new("key-needed", "dropped", G_TYPE_UINT64, count, nullptr));
  if (warn) {
    GST_ELEMENT_WARNING(self, STREAM, FAILED, ("No key: no frame passes."),
                        ("set key-file or key-agent, or a key by set-key"));
  }
}

GstStructure* stats_of(GstE2eeEncryptPrivate& priv) {
  const std::lock_guard lock(priv.mutex);
  const auto& stats = priv.stats;
  auto* out = gst_structure_new(
      "e2ee-encrypt-stats", "frames", G_TYPE_UINT64, stats.frames, "bytes-in", G_TYPE_UINT64,
      stats.bytes_in, "bytes-out", G_TYPE_UINT64, stats.bytes_out, "dropped-without-key",
      G_TYPE_UINT64, stats.dropped, "refused", G_TYPE_UINT64, stats.refused, "dropped-dtx",
      G_TYPE_UINT64, stats.dtx, "keys", G_TYPE_UINT64, stats.keys, nullptr);
  const auto& sealer = priv.sealer.outer();
  if (sealer) {
    gst_structure_set(out, "kid", G_TYPE_UINT64, static_cast<guint64>(sealer->kid()), "suite",
                      G_TYPE_STRING, sealer->suite().name, "counter", G_TYPE_UINT64,
                      static_cast<guint64>(sealer->ctr()), nullptr);
  }
  return out;
}

/// One frame, with the lock held.
Verdict seal(GstE2eeEncryptPrivate& priv, ByteView frame, sotto::BufferOutput& output) {
  for (const auto layer : {Layer::kOuter, Layer::kInner}) {
    const auto& sealer = layer == Layer::kOuter ? priv.sealer.outer() : priv.sealer.inner();
    if (sealer && !keys_of(priv, layer).file.key.empty() && sealer->ctr() >= kFramesPerKid &&
        !draw(priv, layer)) {
      return Verdict::kFailed;
    }
    auto& keys = keys_of(priv, layer);
    if (!sealer || keys.limit == 0 || sealer->ctr() < keys.limit) continue;
    if (!std::exchange(keys.told, true) && priv.agent) {
      priv.agent->spent(
          layer == Layer::kOuter ? sotto::agent::Layer::kOuter : sotto::agent::Layer::kInner,
          sealer->kid());
    }
    // As many frames again for an agent that is away; then nothing passes.
    if (sealer->ctr() - keys.limit >= keys.limit) forget(priv, layer);
  }
  return priv.sealer.seal(frame, output);
}

}  // namespace

static GstFlowReturn gst_e2ee_encrypt_generate_output(GstBaseTransform* base, GstBuffer** out) {
  auto* self = GST_E2EE_ENCRYPT(base);
  auto& priv = *self->priv;
  *out = nullptr;
  const auto in = GstPtr<GstBuffer>::adopt(std::exchange(base->queued_buf, nullptr));
  if (!in) return GST_FLOW_OK;
  const sotto::MappedBuffer frame(in.get());
  if (!frame) {
    GST_ELEMENT_ERROR(self, RESOURCE, READ, (nullptr), ("buffer cannot be mapped"));
    return GST_FLOW_ERROR;
  }
  sotto::BufferOutput output;
  Verdict verdict{};
  guint64 kid = 0;
  guint suite = 0;
  bool changed = false;
  bool ask = false;
  {
    const std::lock_guard lock(priv.mutex);
    if (sotto::e2ee::is_dtx(priv.codec, frame.view())) {
      ++priv.stats.dtx;
      return GST_FLOW_OK;
    }
    verdict = seal(priv, frame.view(), output);
    if (verdict == Verdict::kOk) {
      ++priv.stats.frames;
      priv.stats.bytes_in += frame.view().size();
      changed = std::exchange(priv.announced, priv.stats.keys) != priv.stats.keys;
      kid = priv.sealer.outer()->kid();
      suite = static_cast<guint>(priv.sealer.outer()->suite().suite);
      ask = std::exchange(priv.starved, false) && priv.codec != sotto::e2ee::Codec::kOpus &&
            GST_BUFFER_FLAG_IS_SET(in.get(), GST_BUFFER_FLAG_DELTA_UNIT) != FALSE;
    } else if (verdict == Verdict::kMalformed) {
      ++priv.stats.refused;
    } else {
      ++priv.stats.dropped;
      priv.starved = true;
    }
  }
  switch (verdict) {
    case Verdict::kOk: break;
    case Verdict::kMalformed:
      GST_WARNING_OBJECT(self, "a buffer of %" G_GSIZE_FORMAT " bytes is no frame of this codec",
                         frame.view().size());
      return GST_FLOW_OK;
    case Verdict::kNoKey:
    case Verdict::kExhausted: report_missing_key(self); return GST_FLOW_OK;
    default:
      GST_ELEMENT_ERROR(self, STREAM, FAILED, ("A frame could not be sealed."),
                        ("%s", sotto::sframe::name_of(verdict)));
      return GST_FLOW_ERROR;
  }
  if (changed) {
    sotto::post(GST_ELEMENT(self), gst_structure_new("key-changed", "kid", G_TYPE_UINT64, kid,
                                                     "suite", G_TYPE_UINT, suite, nullptr));
  }
  if (ask) {
    // What this frame refers to was dropped.
    gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(self),
                       gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
  }
  auto sealed = output.take(in.get());
  {
    const std::lock_guard lock(priv.mutex);
    priv.stats.bytes_out += gst_buffer_get_size(sealed.get());
  }
  *out = sealed.release();
  return GST_FLOW_OK;
}

static GstCaps* gst_e2ee_encrypt_transform_caps(GstBaseTransform* base, GstPadDirection direction,
                                                GstCaps* caps, GstCaps* filter) {
  auto* priv = GST_E2EE_ENCRYPT(base)->priv;
  CapsMode mode{};
  {
    const std::lock_guard lock(priv->mutex);
    mode = priv->caps_mode;
  }
  GstCaps* out =
      direction == GST_PAD_SINK ? sotto::sealed_caps(caps, mode) : sotto::opened_caps(caps);
  return sotto::narrowed(out, filter);
}

static gboolean gst_e2ee_encrypt_set_caps(GstBaseTransform* base, GstCaps* in, GstCaps* out) {
  auto* self = GST_E2EE_ENCRYPT(base);
  const auto codec = sotto::codec_of(in);
  if (!codec || sotto::is_sealed(gst_caps_get_structure(in, 0))) return FALSE;
  GST_INFO_OBJECT(self, "sealing %" GST_PTR_FORMAT, out);
  const std::lock_guard lock(self->priv->mutex);
  self->priv->codec = *codec;
  self->priv->sealer.set_codec(*codec);
  return TRUE;
}

static gboolean gst_e2ee_encrypt_start(GstBaseTransform* base) {
  auto* self = GST_E2EE_ENCRYPT(base);
  for (const auto layer : {Layer::kOuter, Layer::kInner}) {
    {
      const std::lock_guard lock(self->priv->mutex);
      if (keys_of(*self->priv, layer).path.empty()) continue;
    }
    // Each start draws a KID of its own, so no two share a key.
    if (const auto loaded = load(self, layer); !loaded) {
      sotto::post_error(GST_ELEMENT(self), loaded.error());
      return FALSE;
    }
  }
  {
    const std::lock_guard lock(self->priv->mutex);
    self->priv->needed.reset();
    self->priv->warned = false;
    self->priv->starved = false;
  }
  if (const auto joined = join_agent(self, true); !joined) {
    sotto::post_error(GST_ELEMENT(self), joined.error());
    return FALSE;
  }
  return TRUE;
}

static gboolean gst_e2ee_encrypt_stop(GstBaseTransform* base) {
  leave_agent(GST_E2EE_ENCRYPT(base));
  auto& priv = *GST_E2EE_ENCRYPT(base)->priv;
  const std::lock_guard lock(priv.mutex);
  for (const auto layer : {Layer::kOuter, Layer::kInner}) {
    // A key that was given stays, and its counter goes on; a file is read again.
    if (!keys_of(priv, layer).file.key.empty()) forget(priv, layer);
  }
  return TRUE;
}

static gboolean on_set_key(GstE2eeEncrypt* self, guint64 kid, guint suite, GBytes* key) {
  return set_key(self, Layer::kOuter, kid, suite, sotto::view_of(key)) ? TRUE : FALSE;
}

static gboolean on_set_second_key(GstE2eeEncrypt* self, guint64 kid, guint suite, GBytes* key) {
  return set_key(self, Layer::kInner, kid, suite, sotto::view_of(key)) ? TRUE : FALSE;
}

static void on_clear_keys(GstE2eeEncrypt* self) {
  const std::lock_guard lock(self->priv->mutex);
  for (const auto layer : {Layer::kOuter, Layer::kInner}) forget(*self->priv, layer);
}

static void gst_e2ee_encrypt_set_property(GObject* object, guint id, const GValue* value,
                                          GParamSpec* spec) {
  auto* self = GST_E2EE_ENCRYPT(object);
  switch (id) {
    case kPropKeyFile: set_key_file(self, Layer::kOuter, value); break;
    case kPropSecondKeyFile: set_key_file(self, Layer::kInner, value); break;
    case kPropKey: set_key_message(self, Layer::kOuter, value); break;
    case kPropSecondKey: set_key_message(self, Layer::kInner, value); break;
    case kPropKeyAgent: set_key_agent(self, value); break;
    case kPropCapsMode: {
      const std::lock_guard lock(self->priv->mutex);
      self->priv->caps_mode = static_cast<CapsMode>(g_value_get_enum(value));
      break;
    }
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_e2ee_encrypt_get_property(GObject* object, guint id, GValue* value,
                                          GParamSpec* spec) {
  auto* priv = GST_E2EE_ENCRYPT(object)->priv;
  if (id == kPropStats) {
    g_value_take_boxed(value, stats_of(*priv));
    return;
  }
  const std::lock_guard lock(priv->mutex);
  switch (id) {
    case kPropKeyFile: sotto::set_path(value, priv->outer.path); break;
    case kPropSecondKeyFile: sotto::set_path(value, priv->inner.path); break;
    case kPropKeyAgent: sotto::set_path(value, priv->agent_address); break;
    case kPropCapsMode: g_value_set_enum(value, static_cast<gint>(priv->caps_mode)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_e2ee_encrypt_init(GstE2eeEncrypt* self) {
  self->priv = new GstE2eeEncryptPrivate;
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), FALSE);
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), FALSE);
}

static void gst_e2ee_encrypt_finalize(GObject* object) {
  leave_agent(GST_E2EE_ENCRYPT(object));
  delete GST_E2EE_ENCRYPT(object)->priv;
  G_OBJECT_CLASS(gst_e2ee_encrypt_parent_class)->finalize(object);
}

static void install_properties(GObjectClass* object_class) {
  constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  constexpr auto kReady = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  sotto::install_key_file(
      object_class, kPropKeyFile, "key-file", "Key file (path)",
      "File with the key, as `sotto keys new` writes it; read at each start and "
      "when set while playing");
  sotto::install_key_file(object_class, kPropSecondKeyFile, "second-key-file",
                          "Second key file (path)",
                          "File with an independent key for an inner layer; none: one layer");
  sotto::install_secret(object_class, kPropKey, "key", "Key (CBOR)",
                        "A key message, [\"sotto/key/v1\", suite, KID, base key] in CBOR; null "
                        "takes the key away");
  sotto::install_secret(object_class, kPropSecondKey, "second-key", "Second key (CBOR)",
                        "The same for the inner layer");
  sotto::install_key_file(object_class, kPropKeyAgent, "key-agent", "Key agent (address)",
                          "unix: and the path of a key agent's socket, as `sotto keys agent` makes "
                          "one; it gives keys and other ones by time and count");
  g_object_class_install_property(
      object_class, kPropCapsMode,
      g_param_spec_enum("caps-mode", "Caps mode",
                        "compatible links to stock payloaders, strict to e2ee-decrypt only",
                        sotto::caps_mode_type(), static_cast<gint>(kDefaultCapsMode), kReady));
  g_object_class_install_property(
      object_class, kPropStats,
      g_param_spec_boxed(
          "stats", "Statistics",
          "frames, bytes-in, bytes-out, dropped-without-key, refused (no frame of the "
          "codec), dropped-dtx, keys; with a key also kid, suite, counter",
          GST_TYPE_STRUCTURE, kRead));
}

static void gst_e2ee_encrypt_class_init(GstE2eeEncryptClass* klass) {
  GST_DEBUG_CATEGORY_INIT(gst_e2ee_encrypt_debug, "e2ee-encrypt", 0, "End-to-end encryption");
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_e2ee_encrypt_set_property;
  object_class->get_property = gst_e2ee_encrypt_get_property;
  object_class->finalize = gst_e2ee_encrypt_finalize;
  install_properties(object_class);
  const auto type = G_TYPE_FROM_CLASS(klass);
  constexpr auto kAction = static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION);
  sotto::install_key_signal(type, "set-key", G_CALLBACK(on_set_key));
  sotto::install_key_signal(type, "set-second-key", G_CALLBACK(on_set_second_key));
  g_signal_new_class_handler("clear-keys", type, kAction, G_CALLBACK(on_clear_keys), nullptr,
                             nullptr, nullptr, G_TYPE_NONE, 0);
  auto* base_class = GST_BASE_TRANSFORM_CLASS(klass);
  base_class->start = GST_DEBUG_FUNCPTR(gst_e2ee_encrypt_start);
  base_class->stop = GST_DEBUG_FUNCPTR(gst_e2ee_encrypt_stop);
  base_class->transform_caps = GST_DEBUG_FUNCPTR(gst_e2ee_encrypt_transform_caps);
  base_class->set_caps = GST_DEBUG_FUNCPTR(gst_e2ee_encrypt_set_caps);
  base_class->decide_allocation = sotto::refuse_pools;
  base_class->generate_output = GST_DEBUG_FUNCPTR(gst_e2ee_encrypt_generate_output);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Frame Sealer", "Filter/Crypto",
                                        "Encrypts encoded frames end to end (SFrame, RFC 9605)",
                                        "The sotto authors");
  gst_type_mark_as_plugin_api(sotto::caps_mode_type(), static_cast<GstPluginAPIFlags>(0));
}
