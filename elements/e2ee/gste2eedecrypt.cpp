// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
/**
 * SECTION:element-e2ee-decrypt
 * @title: e2ee-decrypt
 * @short_description: Opens frames that e2ee-encrypt, or a browser, has sealed
 *
 * Stands between depayloader and decoder; put no parser in front of it. What does not authenticate
 * is dropped, and so is what was seen before (a window of 1024 frames per KID). A flush, as a seek
 * in a recording makes, begins the windows anew.
 *
 * Keys come from `key-file`, from a `key-agent` (a Unix socket, `sotto keys agent`), which is asked
 * for each KID that is new and answers within 250 ms or not at all, the `key` property, the action
 * signals `add-key (kid, suite, key)`, `add-second-key` and `remove-key (kid)`, or a SottoKeyring
 * that several elements share: the `keyring` of one element, set as field `keyring` of a GstContext
 * of type `sotto.e2ee.keyring` before the others start. Its signal `destroy` wipes all keys
 * wherever they are.
 *
 * Element messages, at most one of each kind per second:
 *
 * - `key-needed`: a frame's `kid` is unknown; the frame was dropped.
 * - `auth-failure`: `count` frames did not authenticate, the last one under `kid`.
 * - `key-changed`: the first frame under another `kid` was opened.
 *
 * After a dropped frame the encoder is asked for a keyframe, and the next frame is marked as
 * discontinuous.
 *
 * ## Example
 * |[
 * gst-launch-1.0 whep-src location=http://localhost:8080/whep/test ! rtpvp8depay ! \
 *   e2ee-decrypt key-file=test.key ! vp8dec ! videoconvert ! autovideosink
 * ]|
 */
#include "elements/e2ee/gste2eedecrypt.h"

#include "core/e2ee/frame.h"
#include "core/e2ee/key_file.h"
#include "core/e2ee/key_message.h"
#include "elements/e2ee/agent_client.h"
#include "elements/e2ee/buffer.h"
#include "elements/e2ee/caps.h"
#include "elements/e2ee/element.h"
#include "elements/e2ee/keyring.h"

#include <gst/video/video.h>

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

GST_DEBUG_CATEGORY_STATIC(gst_e2ee_decrypt_debug);
#define GST_CAT_DEFAULT gst_e2ee_decrypt_debug

namespace {

using sotto::ByteView;
using sotto::Error;
using sotto::ErrorCode;
using sotto::GstPtr;
using sotto::Limiter;
using sotto::Result;
using sotto::e2ee::FrameOpener;
using sotto::sframe::KeyStore;
using sotto::sframe::Verdict;

enum Property {
  kPropKeyFile = 1,
  kPropSecondKeyFile,
  kPropKey,
  kPropSecondKey,
  kPropKeyAgent,
  kPropKeyring,
  kPropStats,
};

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(SOTTO_E2EE_CODEC_CAPS "; " SOTTO_E2EE_STRICT_CAPS));
GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                            GST_STATIC_CAPS(SOTTO_E2EE_CODEC_CAPS));

struct Unref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
using Keyring = std::unique_ptr<SottoKeyring, Unref>;

struct Stats {
  guint64 frames = 0;
  guint64 bytes_in = 0;
  guint64 bytes_out = 0;
  guint64 without_key = 0;
  guint64 auth_failures = 0;
  guint64 replayed = 0;
  guint64 malformed = 0;
};

}  // namespace

struct GstE2eeDecryptPrivate {
  std::mutex mutex;  // Protects everything below; nothing is pushed, posted or emitted under it.
  std::string key_file;
  std::string second_key_file;
  std::string agent_address;  // key-agent
  std::shared_ptr<sotto::AgentClient> agent;
  std::set<std::pair<bool, guint64>> agent_keys;  // What it gave: inner or not, KID.
  Keyring own{sotto_keyring_new()};
  Keyring shared;  // From a context; goes before our own.
  std::optional<FrameOpener> opener;
  bool two_layers = false;  // Once on, on until the element is stopped.
  sotto::e2ee::Codec codec = sotto::e2ee::Codec::kVp8;
  Stats stats;
  guint64 kid = 0;  // Of the last frame that was opened.
  bool opened_any = false;
  bool gap = false;  // Frames were dropped since the last one that passed.
  Limiter needed;
  Limiter failed;
  Limiter changed;
  Limiter keyframe;
  bool warned = false;
};

struct _GstE2eeDecrypt {
  GstBaseTransform parent;
  GstE2eeDecryptPrivate* priv;
};

G_DEFINE_FINAL_TYPE(GstE2eeDecrypt, gst_e2ee_decrypt, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE(e2ee_decrypt, "e2ee-decrypt", GST_RANK_NONE, GST_TYPE_E2EE_DECRYPT)

namespace {

SottoKeyring* keyring_of(GstE2eeDecryptPrivate& priv) {
  return priv.shared ? priv.shared.get() : priv.own.get();
}

/// Reads a key file into our own keyring; a key from an earlier file is gone, whether it works or
/// not.
Result<> load(GstE2eeDecrypt* self, bool second) {
  auto& priv = *self->priv;
  std::string path;
  {
    const std::lock_guard lock(priv.mutex);
    path = second ? priv.second_key_file : priv.key_file;
    if (second && !path.empty()) priv.two_layers = true;
  }
  auto& store =
      second ? *sotto_keyring_inner(priv.own.get()) : *sotto_keyring_outer(priv.own.get());
  if (path.empty()) {
    store.remove(0, sotto::sframe::kAnyKid);
    return {};
  }
  const auto file = sotto::e2ee::read_key_file(path);
  if (!file) {
    store.remove(0, sotto::sframe::kAnyKid);
    return tl::unexpected<Error>(file.error());
  }
  return store.add(file->suite, 0, sotto::sframe::kAnyKid, file->key.view());
}

void set_key_file(GstE2eeDecrypt* self, bool second, const GValue* value) {
  const char* path = g_value_get_string(value);
  {
    const std::lock_guard lock(self->priv->mutex);
    (second ? self->priv->second_key_file : self->priv->key_file) = path == nullptr ? "" : path;
  }
  GST_OBJECT_LOCK(self);
  const bool running = GST_STATE(self) >= GST_STATE_PAUSED;
  GST_OBJECT_UNLOCK(self);
  if (!running) return;  // Read at the start.
  if (const auto loaded = load(self, second); !loaded)
    sotto::post_error(GST_ELEMENT(self), loaded.error());
}

bool add_key(GstE2eeDecrypt* self, bool second, guint64 kid, guint suite, ByteView key) {
  const auto* info = sotto::suite_of(suite);
  if (info == nullptr) return false;
  std::shared_ptr<KeyStore> store;
  {
    const std::lock_guard lock(self->priv->mutex);
    auto* keyring = keyring_of(*self->priv);
    store = second ? sotto_keyring_inner(keyring) : sotto_keyring_outer(keyring);
  }
  const auto added = store->add(info->suite, kid, sotto::sframe::kExactKid, key);
  if (!added) GST_WARNING_OBJECT(self, "key refused: %s", added.error().message.c_str());
  return added.has_value();
}

void set_key_message(GstE2eeDecrypt* self, bool second, const GValue* value) {
  auto* bytes = static_cast<GBytes*>(g_value_get_boxed(value));
  if (bytes == nullptr) return;
  const auto message = sotto::e2ee::parse_key_message(sotto::view_of(bytes));
  if (!message) {
    sotto::post_error(GST_ELEMENT(self), message.error());
  } else if (!add_key(self, second, message->kid, static_cast<guint>(message->suite),
                      message->key.view())) {
    sotto::post_error(GST_ELEMENT(self), {ErrorCode::kTooLarge, "the key was refused"});
  }
}

/// At most once a second.
void ask_for_keyframe(GstE2eeDecrypt* self) {
  {
    const std::lock_guard lock(self->priv->mutex);
    if (self->priv->codec == sotto::e2ee::Codec::kOpus || self->priv->keyframe.pass() == 0) return;
  }
  gst_pad_push_event(GST_BASE_TRANSFORM_SINK_PAD(self),
                     gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

void from_agent(GstE2eeDecrypt* self, const sotto::agent::Message& message) {
  constexpr auto kInner = sotto::agent::Layer::kInner;
  if (const auto* with = std::get_if<sotto::agent::OpenWith>(&message)) {
    const bool second = with->layer == kInner;
    if (!add_key(self, second, with->kid, static_cast<guint>(with->suite), with->key.view()))
      return;
    const std::lock_guard lock(self->priv->mutex);
    self->priv->agent_keys.emplace(second, with->kid);
  } else if (const auto* drop = std::get_if<sotto::agent::Drop>(&message)) {
    const std::lock_guard lock(self->priv->mutex);
    auto& keys = self->priv->agent_keys;
    auto* keyring = keyring_of(*self->priv);
    for (auto key = keys.begin(); key != keys.end();) {
      if (key->first != (drop->layer == kInner) || (key->second & drop->mask) != drop->kid) {
        ++key;
        continue;
      }
      (key->first ? sotto_keyring_inner(keyring) : sotto_keyring_outer(keyring))
          ->remove(key->second);
      key = keys.erase(key);
    }
  }
}

/// Not for a streaming thread: it may wait for the client's.
void leave_agent(GstE2eeDecrypt* self) {
  std::shared_ptr<sotto::AgentClient> before;
  {
    const std::lock_guard lock(self->priv->mutex);
    before = std::move(self->priv->agent);
  }
  before.reset();
  for (const auto layer : {sotto::agent::Layer::kInner, sotto::agent::Layer::kOuter}) {
    from_agent(self, sotto::agent::Drop{layer, 0, 0});
  }
}

Result<> join_agent(GstE2eeDecrypt* self) {
  leave_agent(self);
  std::string address;
  bool both = false;
  {
    const std::lock_guard lock(self->priv->mutex);
    address = self->priv->agent_address;
    both = !self->priv->key_file.empty() || !self->priv->second_key_file.empty();
  }
  if (address.empty()) return {};
  if (both) return sotto::fail(ErrorCode::kInvalid, "either key-agent or key-file, not both");
  auto client = sotto::make_agent_client(
      GST_ELEMENT(self), address, sotto::agent::Role::kOpen,
      [self](const sotto::agent::Message& message) { from_agent(self, message); });
  if (!client) return tl::unexpected<Error>(client.error());
  const std::lock_guard lock(self->priv->mutex);
  self->priv->agent = std::move(*client);
  return {};
}

void set_key_agent(GstE2eeDecrypt* self, const GValue* value) {
  const char* address = g_value_get_string(value);
  {
    const std::lock_guard lock(self->priv->mutex);
    self->priv->agent_address = address == nullptr ? "" : address;
  }
  if (!sotto::is_running(GST_ELEMENT(self))) return;
  if (const auto joined = join_agent(self); !joined) {
    sotto::post_error(GST_ELEMENT(self), joined.error());
  }
}

/// Whatever has to be said about a frame that was dropped.
void report(GstE2eeDecrypt* self, const FrameOpener::Opened& opened) {
  auto& priv = *self->priv;
  const bool missing = opened.verdict == Verdict::kNoKey;
  guint64 count = 0;
  bool warn = false;
  {
    const std::lock_guard lock(priv.mutex);
    count = (missing ? priv.needed : priv.failed).pass();
    warn = count != 0 && !std::exchange(priv.warned, true);
  }
  if (count != 0) {
    sotto::post(GST_ELEMENT(self),
                gst_structure_new(missing ? "key-needed" : "auth-failure", "kid", G_TYPE_UINT64,
                                  static_cast<guint64>(opened.kid), "layer", G_TYPE_UINT,
                                  opened.inner ? 1U : 2U, "count", G_TYPE_UINT64, count, "reason",
                                  G_TYPE_STRING, sotto::sframe::name_of(opened.verdict), nullptr));
  }
  if (warn) {
    GST_ELEMENT_WARNING(
        self, STREAM, DECRYPT,
        (missing ? "No key for these frames: none passes."
                 : "Frames do not authenticate: another key, or not sealed at all."),
        ("KID %" G_GUINT64_FORMAT, static_cast<guint64>(opened.kid)));
  }
  ask_for_keyframe(self);
}

GstStructure* stats_of(GstE2eeDecryptPrivate& priv) {
  const std::lock_guard lock(priv.mutex);
  const auto& stats = priv.stats;
  auto* out =
      gst_structure_new("e2ee-decrypt-stats", "frames", G_TYPE_UINT64, stats.frames, "bytes-in",
                        G_TYPE_UINT64, stats.bytes_in, "bytes-out", G_TYPE_UINT64, stats.bytes_out,
                        "dropped-without-key", G_TYPE_UINT64, stats.without_key, "auth-failures",
                        G_TYPE_UINT64, stats.auth_failures, "replayed", G_TYPE_UINT64,
                        stats.replayed, "malformed", G_TYPE_UINT64, stats.malformed, nullptr);
  if (priv.opened_any) gst_structure_set(out, "kid", G_TYPE_UINT64, priv.kid, nullptr);
  return out;
}

/// One frame, with the lock held.
FrameOpener::Opened open(GstE2eeDecryptPrivate& priv, ByteView sealed,
                         sotto::BufferOutput& output) {
  auto* keyring = keyring_of(priv);
  if (!priv.opener) {
    priv.opener.emplace(priv.codec, sotto_keyring_outer(keyring), sotto_keyring_inner(keyring));
  }
  // Whoever has a second key demands it of every frame.
  priv.two_layers = priv.two_layers || sotto_keyring_inner(keyring)->size() > 0;
  priv.opener->set_two_layers(priv.two_layers);
  return priv.opener->open(sealed, output);
}

/// With the lock held.
void count(GstE2eeDecryptPrivate& priv, const FrameOpener::Opened& opened, gsize size) {
  auto& stats = priv.stats;
  priv.gap = priv.gap || opened.verdict != Verdict::kOk;
  switch (opened.verdict) {
    case Verdict::kOk:
      ++stats.frames;
      stats.bytes_in += size;
      break;
    case Verdict::kNoKey: ++stats.without_key; break;
    case Verdict::kReplayed: ++stats.replayed; break;
    case Verdict::kMalformed: ++stats.malformed; break;
    default: ++stats.auth_failures; break;
  }
}

/// Asks the key agent, within its bound, for a key that is missing; once for each layer.
void ask_agent(GstE2eeDecryptPrivate& priv, ByteView sealed, sotto::BufferOutput& output,
               FrameOpener::Opened& opened) {
  for (int layers = 0; layers < 2 && opened.verdict == Verdict::kNoKey; ++layers) {
    std::shared_ptr<sotto::AgentClient> agent;
    {
      const std::lock_guard lock(priv.mutex);
      agent = priv.agent;
    }
    const auto layer = opened.inner ? sotto::agent::Layer::kInner : sotto::agent::Layer::kOuter;
    if (!agent || !agent->ask(layer, opened.kid)) return;
    const std::lock_guard lock(priv.mutex);
    const bool again = opened.inner && priv.opener;
    opened = again ? priv.opener->open_inner_again(output) : open(priv, sealed, output);
  }
}

}  // namespace

static GstFlowReturn gst_e2ee_decrypt_generate_output(GstBaseTransform* base, GstBuffer** out) {
  auto* self = GST_E2EE_DECRYPT(base);
  auto& priv = *self->priv;
  *out = nullptr;
  const auto in = GstPtr<GstBuffer>::adopt(std::exchange(base->queued_buf, nullptr));
  if (!in) return GST_FLOW_OK;
  const sotto::MappedBuffer sealed(in.get());
  if (!sealed) {
    GST_ELEMENT_ERROR(self, RESOURCE, READ, (nullptr), ("buffer cannot be mapped"));
    return GST_FLOW_ERROR;
  }
  sotto::BufferOutput output;
  FrameOpener::Opened opened;
  bool changed = false;
  bool gap = false;
  {
    const std::lock_guard lock(priv.mutex);
    opened = open(priv, sealed.view(), output);
  }
  if (opened.verdict == Verdict::kNoKey) ask_agent(priv, sealed.view(), output, opened);
  std::shared_ptr<sotto::AgentClient> agent;
  {
    const std::lock_guard lock(priv.mutex);
    count(priv, opened, sealed.view().size());
    if (opened.verdict == Verdict::kOk) {
      if (priv.kid != opened.kid || !priv.opened_any) agent = priv.agent;
      changed = (priv.kid != opened.kid || !priv.opened_any) && priv.changed.pass() != 0;
      priv.kid = opened.kid;
      priv.opened_any = true;
      gap = std::exchange(priv.gap, false);
    }
  }
  if (agent) {
    agent->proven(opened.inner ? sotto::agent::Layer::kInner : sotto::agent::Layer::kOuter,
                  opened.kid);
  }
  if (opened.verdict == Verdict::kReplayed) {
    // A duplicate is no gap to mend; but a depayloader that waited has taken an old keyframe for
    // the one it asked for.
    if (opened.keyframe) ask_for_keyframe(self);
    return GST_FLOW_OK;
  }
  if (opened.verdict != Verdict::kOk) {
    GST_DEBUG_OBJECT(self, "dropped: %s", sotto::sframe::name_of(opened.verdict));
    report(self, opened);
    return GST_FLOW_OK;
  }
  if (changed) {
    sotto::post(GST_ELEMENT(self), gst_structure_new("key-changed", "kid", G_TYPE_UINT64,
                                                     static_cast<guint64>(opened.kid), nullptr));
  }
  auto frame = output.take(in.get());
  if (gap) GST_BUFFER_FLAG_SET(frame.get(), GST_BUFFER_FLAG_DISCONT);
  {
    const std::lock_guard lock(priv.mutex);
    priv.stats.bytes_out += gst_buffer_get_size(frame.get());
  }
  *out = frame.release();
  return GST_FLOW_OK;
}

static GstCaps* gst_e2ee_decrypt_transform_caps(GstBaseTransform* base, GstPadDirection direction,
                                                GstCaps* caps, GstCaps* filter) {
  (void)base;
  GstCaps* out = sotto::opened_caps(caps);
  if (direction == GST_PAD_SRC) {
    // Marked, unmarked (depayloaders know no mark), strict.
    GstCaps* marked = sotto::sealed_caps(out, sotto::CapsMode::kCompatible);
    gst_caps_append(marked, sotto::sealed_caps(out, sotto::CapsMode::kStrict));
    gst_caps_append(marked, out);
    out = marked;
  }
  return sotto::narrowed(out, filter);
}

static gboolean gst_e2ee_decrypt_set_caps(GstBaseTransform* base, GstCaps* in, GstCaps* out) {
  auto* self = GST_E2EE_DECRYPT(base);
  (void)out;
  const auto codec = sotto::codec_of(in);
  if (!codec) return FALSE;
  GST_INFO_OBJECT(self, "opening %" GST_PTR_FORMAT, in);
  const std::lock_guard lock(self->priv->mutex);
  self->priv->codec = *codec;
  if (self->priv->opener) self->priv->opener->set_codec(*codec);
  return TRUE;
}

static gboolean gst_e2ee_decrypt_sink_event(GstBaseTransform* base, GstEvent* event) {
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
    // The application jumped within a recording: what it asks to see again opens again. Nothing
    // that comes over a network flushes.
    auto* priv = GST_E2EE_DECRYPT(base)->priv;
    const std::lock_guard lock(priv->mutex);
    priv->opener.reset();
  }
  return GST_BASE_TRANSFORM_CLASS(gst_e2ee_decrypt_parent_class)->sink_event(base, event);
}

static gboolean gst_e2ee_decrypt_start(GstBaseTransform* base) {
  auto* self = GST_E2EE_DECRYPT(base);
  auto& priv = *self->priv;
  for (const bool second : {false, true}) {
    if (const auto loaded = load(self, second); !loaded) {
      sotto::post_error(GST_ELEMENT(self), loaded.error());
      return FALSE;
    }
  }
  bool wanted = false;
  {
    const std::lock_guard lock(priv.mutex);
    wanted = !priv.shared && sotto_keyring_outer(priv.own.get())->size() == 0;
    priv.needed.reset();
    priv.failed.reset();
    priv.changed.reset();
    priv.keyframe.reset();
    priv.warned = false;
    wanted = wanted && priv.agent_address.empty();
  }
  if (const auto joined = join_agent(self); !joined) {
    sotto::post_error(GST_ELEMENT(self), joined.error());
    return FALSE;
  }
  if (wanted) {
    gst_element_post_message(GST_ELEMENT(self),
                             gst_message_new_need_context(GST_OBJECT(self), SOTTO_KEYRING_CONTEXT));
  }
  return TRUE;
}

static gboolean gst_e2ee_decrypt_stop(GstBaseTransform* base) {
  leave_agent(GST_E2EE_DECRYPT(base));
  auto& priv = *GST_E2EE_DECRYPT(base)->priv;
  const std::lock_guard lock(priv.mutex);
  // Files are read again; keys that were given stay, and the windows of what was seen with them.
  sotto_keyring_outer(priv.own.get())->remove(0, sotto::sframe::kAnyKid);
  sotto_keyring_inner(priv.own.get())->remove(0, sotto::sframe::kAnyKid);
  priv.two_layers = false;
  priv.opened_any = false;
  return TRUE;
}

static void gst_e2ee_decrypt_set_context(GstElement* element, GstContext* context) {
  auto* self = GST_E2EE_DECRYPT(element);
  if (gst_context_has_context_type(context, SOTTO_KEYRING_CONTEXT) != FALSE) {
    SottoKeyring* keyring = nullptr;
    gst_structure_get(gst_context_get_structure(context), "keyring", SOTTO_TYPE_KEYRING, &keyring,
                      nullptr);
    const std::lock_guard lock(self->priv->mutex);
    if (keyring != nullptr && keyring != self->priv->shared.get()) {
      self->priv->shared.reset(keyring);
      self->priv->opener.reset();
    } else if (keyring != nullptr) {
      g_object_unref(keyring);
    }
  }
  GST_ELEMENT_CLASS(gst_e2ee_decrypt_parent_class)->set_context(element, context);
}

static gboolean on_add_key(GstE2eeDecrypt* self, guint64 kid, guint suite, GBytes* key) {
  return add_key(self, false, kid, suite, sotto::view_of(key)) ? TRUE : FALSE;
}

static gboolean on_add_second_key(GstE2eeDecrypt* self, guint64 kid, guint suite, GBytes* key) {
  return add_key(self, true, kid, suite, sotto::view_of(key)) ? TRUE : FALSE;
}

static gboolean on_remove_key(GstE2eeDecrypt* self, guint64 kid) {
  const std::lock_guard lock(self->priv->mutex);
  auto* keyring = keyring_of(*self->priv);
  const bool outer = sotto_keyring_outer(keyring)->remove(kid);
  const bool inner = sotto_keyring_inner(keyring)->remove(kid);
  return outer || inner ? TRUE : FALSE;
}

static void gst_e2ee_decrypt_set_property(GObject* object, guint id, const GValue* value,
                                          GParamSpec* spec) {
  auto* self = GST_E2EE_DECRYPT(object);
  switch (id) {
    case kPropKeyFile: set_key_file(self, false, value); break;
    case kPropSecondKeyFile: set_key_file(self, true, value); break;
    case kPropKey: set_key_message(self, false, value); break;
    case kPropSecondKey: set_key_message(self, true, value); break;
    case kPropKeyAgent: set_key_agent(self, value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_e2ee_decrypt_get_property(GObject* object, guint id, GValue* value,
                                          GParamSpec* spec) {
  auto* priv = GST_E2EE_DECRYPT(object)->priv;
  if (id == kPropStats) {
    g_value_take_boxed(value, stats_of(*priv));
    return;
  }
  const std::lock_guard lock(priv->mutex);
  switch (id) {
    case kPropKeyFile: sotto::set_path(value, priv->key_file); break;
    case kPropSecondKeyFile: sotto::set_path(value, priv->second_key_file); break;
    case kPropKeyAgent: sotto::set_path(value, priv->agent_address); break;
    case kPropKeyring: g_value_set_object(value, keyring_of(*priv)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void gst_e2ee_decrypt_init(GstE2eeDecrypt* self) {
  self->priv = new GstE2eeDecryptPrivate;
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), FALSE);
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), FALSE);
}

static void gst_e2ee_decrypt_finalize(GObject* object) {
  leave_agent(GST_E2EE_DECRYPT(object));
  delete GST_E2EE_DECRYPT(object)->priv;
  G_OBJECT_CLASS(gst_e2ee_decrypt_parent_class)->finalize(object);
}

static void install_properties(GObjectClass* object_class) {
  constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  sotto::install_key_file(object_class, kPropKeyFile, "key-file", "Key file (path)",
                          "File with the key, as `sotto keys new` writes it; opens every KID. Read "
                          "at each start and when set while playing");
  sotto::install_key_file(
      object_class, kPropSecondKeyFile, "second-key-file", "Second key file (path)",
      "File with the inner layer's key; with it frames of one layer are refused");
  sotto::install_secret(object_class, kPropKey, "key", "Key (CBOR)",
                        "A key message, [\"sotto/key/v1\", suite, KID, base key] in CBOR, that is "
                        "added to the keyring");
  sotto::install_secret(object_class, kPropSecondKey, "second-key", "Second key (CBOR)",
                        "The same for the inner layer");
  sotto::install_key_file(object_class, kPropKeyAgent, "key-agent", "Key agent (address)",
                          "unix: and the path of a key agent's socket, as `sotto keys agent` makes "
                          "one; it is asked for the keys of KIDs that come");
  g_object_class_install_property(
      object_class, kPropKeyring,
      g_param_spec_object("keyring", "Keyring",
                          "SottoKeyring with the keys, to be shared by a context of type "
                          "sotto.e2ee.keyring; it gives no key away",
                          SOTTO_TYPE_KEYRING, kRead));
  g_object_class_install_property(
      object_class, kPropStats,
      g_param_spec_boxed("stats", "Statistics",
                         "frames, bytes-in, bytes-out, dropped-without-key, auth-failures, "
                         "replayed, malformed; once a frame was opened also kid",
                         GST_TYPE_STRUCTURE, kRead));
}

static void gst_e2ee_decrypt_class_init(GstE2eeDecryptClass* klass) {
  GST_DEBUG_CATEGORY_INIT(gst_e2ee_decrypt_debug, "e2ee-decrypt", 0, "End-to-end decryption");
  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = gst_e2ee_decrypt_set_property;
  object_class->get_property = gst_e2ee_decrypt_get_property;
  object_class->finalize = gst_e2ee_decrypt_finalize;
  install_properties(object_class);
  const auto type = G_TYPE_FROM_CLASS(klass);
  constexpr auto kAction = static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION);
  sotto::install_key_signal(type, "add-key", G_CALLBACK(on_add_key));
  sotto::install_key_signal(type, "add-second-key", G_CALLBACK(on_add_second_key));
  g_signal_new_class_handler("remove-key", type, kAction, G_CALLBACK(on_remove_key), nullptr,
                             nullptr, nullptr, G_TYPE_BOOLEAN, 1, G_TYPE_UINT64);
  auto* base_class = GST_BASE_TRANSFORM_CLASS(klass);
  base_class->sink_event = GST_DEBUG_FUNCPTR(gst_e2ee_decrypt_sink_event);
  base_class->start = GST_DEBUG_FUNCPTR(gst_e2ee_decrypt_start);
  base_class->stop = GST_DEBUG_FUNCPTR(gst_e2ee_decrypt_stop);
  base_class->transform_caps = GST_DEBUG_FUNCPTR(gst_e2ee_decrypt_transform_caps);
  base_class->set_caps = GST_DEBUG_FUNCPTR(gst_e2ee_decrypt_set_caps);
  base_class->decide_allocation = sotto::refuse_pools;
  base_class->generate_output = GST_DEBUG_FUNCPTR(gst_e2ee_decrypt_generate_output);
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->set_context = GST_DEBUG_FUNCPTR(gst_e2ee_decrypt_set_context);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Frame Opener", "Filter/Crypto",
                                        "Opens frames encrypted end to end (SFrame, RFC 9605)",
                                        "The sotto authors");
}
