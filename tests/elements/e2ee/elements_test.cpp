// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// e2ee-encrypt and e2ee-decrypt by themselves: keys, messages, caps, what must not pass.
#include "core/e2ee/key_message.h"
#include "core/sframe/header.h"
#include "tests/elements/e2ee/support.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

namespace sotto {
namespace {

constexpr const char* kOpus = "audio/x-opus, rate=48000, channels=1, channel-mapping-family=0";
constexpr const char* kVp8 = "video/x-vp8, width=320, height=240";

class Elements : public E2eeTest {
 protected:
  static Bytes frame(std::size_t size = 100) { return random_bytes(size); }
  static GBytes* base_key(std::uint8_t fill) {
    const Bytes bytes(32, fill);
    return g_bytes_new(bytes.data(), bytes.size());
  }
  static bool set_key(GstHarness* harness, const char* signal, guint64 kid, std::uint8_t fill,
                      guint suite = 5) {
    auto* bytes = base_key(fill);
    gboolean done = FALSE;
    g_signal_emit_by_name(harness->element, signal, kid, suite, bytes, &done);
    g_bytes_unref(bytes);
    return done != FALSE;
  }
};

TEST_F(Elements, WhatIsSealedOpensToTheSameBytes) {
  const auto seal = make("e2ee-encrypt", kOpus, key);
  const auto open = make("e2ee-decrypt", kOpus, key);
  for (int i = 0; i < 50; ++i) {
    const auto plain = frame(static_cast<std::size_t>(3 + i * 20));
    const auto sealed = push(seal.get(), plain);
    EXPECT_GT(sealed.size(), plain.size() + 16);
    EXPECT_EQ(push(open.get(), sealed), plain);
  }
  EXPECT_EQ(count(seal->element, "frames"), 50U);
  EXPECT_EQ(count(open->element, "frames"), 50U);
  EXPECT_EQ(count(open->element, "auth-failures"), 0U);
  EXPECT_EQ(count(seal->element, "bytes-out"), count(open->element, "bytes-in"));
  EXPECT_TRUE(message(seal.get(), "key-changed"));
  EXPECT_TRUE(message(open.get(), "key-changed"));
}

TEST_F(Elements, TimesAndFlagsStay) {
  const auto seal = make("e2ee-encrypt", kOpus, key);
  auto* buffer = buffer_of(frame());
  GST_BUFFER_PTS(buffer) = 5 * GST_SECOND;
  GST_BUFFER_DTS(buffer) = 4 * GST_SECOND;
  GST_BUFFER_DURATION(buffer) = 20 * GST_MSECOND;
  GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  ASSERT_EQ(gst_harness_push(seal.get(), buffer), GST_FLOW_OK);
  const auto out = GstPtr<GstBuffer>::adopt(gst_harness_pull(seal.get()));
  EXPECT_EQ(GST_BUFFER_PTS(out.get()), 5 * GST_SECOND);
  EXPECT_EQ(GST_BUFFER_DTS(out.get()), 4 * GST_SECOND);
  EXPECT_EQ(GST_BUFFER_DURATION(out.get()), 20 * GST_MSECOND);
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(out.get(), GST_BUFFER_FLAG_DELTA_UNIT));
}

TEST_F(Elements, WithoutAKeyNothingPassesEitherWay) {
  const auto seal = make("e2ee-encrypt", kOpus);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(push(seal.get(), frame()).empty());
  EXPECT_EQ(count(seal->element, "dropped-without-key"), 5U);
  EXPECT_TRUE(message(seal.get(), "key-needed"));
  EXPECT_FALSE(message(seal.get(), "key-needed")) << "one per second";

  const auto with_key = make("e2ee-encrypt", kOpus, key);
  const auto open = make("e2ee-decrypt", kOpus);
  const auto sealed = push(with_key.get(), frame());
  EXPECT_TRUE(push(open.get(), sealed).empty());
  EXPECT_EQ(count(open->element, "dropped-without-key"), 1U);
  const auto needed = message(open.get(), "key-needed");
  ASSERT_TRUE(needed);
  guint64 kid = 0;
  ASSERT_TRUE(gst_structure_get_uint64(needed.get(), "kid", &kid));
  EXPECT_EQ(kid, count(with_key->element, "kid"));
}

TEST_F(Elements, AnotherKeyOpensNothingAndSaysSoOnce) {
  const auto seal = make("e2ee-encrypt", kOpus, key);
  const auto open = make("e2ee-decrypt", kOpus, other);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(push(open.get(), push(seal.get(), frame())).empty());
  EXPECT_EQ(count(open->element, "auth-failures"), 20U);
  EXPECT_EQ(count(open->element, "frames"), 0U);
  const auto failure = message(open.get(), "auth-failure");
  ASSERT_TRUE(failure);
  EXPECT_STREQ(gst_structure_get_string(failure.get(), "reason"), "forged");
  EXPECT_FALSE(message(open.get(), "auth-failure"));
}

TEST_F(Elements, WhatIsNotSealedDoesNotPassDecryption) {
  const auto open = make("e2ee-decrypt", kVp8, key);
  EXPECT_TRUE(
      push(open.get(), Bytes{0x10, 2, 0, 0x9D, 1, 0x2A, 0x40, 1, 0xF0, 0, 1, 2, 3}).empty());
  EXPECT_EQ(count(open->element, "frames"), 0U);
  EXPECT_TRUE(message(open.get(), "auth-failure"));
}

TEST_F(Elements, NothingIsAcceptedTwice) {
  const auto seal = make("e2ee-encrypt", kOpus, key);
  const auto open = make("e2ee-decrypt", kOpus, key);
  const auto sealed = push(seal.get(), frame());
  EXPECT_FALSE(push(open.get(), sealed).empty());
  EXPECT_TRUE(push(open.get(), sealed).empty());
  EXPECT_EQ(count(open->element, "replayed"), 1U);
  EXPECT_FALSE(message(open.get(), "auth-failure")) << "networks duplicate packets";
}

TEST_F(Elements, AKeyframePlayedAgainIsNotTheOneThatWasAskedFor) {
  const auto seal = make("e2ee-encrypt", kVp8, key);
  const auto open = make("e2ee-decrypt", kVp8, key);
  const auto asked = [&] {
    bool found = false;
    while (auto* event = gst_harness_try_pull_upstream_event(open.get())) {
      found = found || gst_event_has_name(event, "GstForceKeyUnit") != FALSE;
      gst_event_unref(event);
    }
    return found;
  };
  const auto delta = push(seal.get(), Bytes{0x31, 1, 0, 9, 9, 9});
  const auto keyframe =
      push(seal.get(), Bytes{0x10, 2, 0, 0x9D, 1, 0x2A, 0x40, 1, 0xF0, 0, 1, 2, 3});
  EXPECT_FALSE(push(open.get(), delta).empty());
  EXPECT_FALSE(push(open.get(), keyframe).empty());
  EXPECT_TRUE(push(open.get(), delta).empty());
  EXPECT_FALSE(asked()) << "a duplicate is no gap to mend";
  EXPECT_TRUE(push(open.get(), keyframe).empty());
  EXPECT_TRUE(asked());
}

TEST_F(Elements, AfterAFailureItAsksForAKeyframeAndMarksTheGap) {
  const auto seal = make("e2ee-encrypt", kVp8, key);
  const auto open = make("e2ee-decrypt", kVp8, key);
  const Bytes plain{0x31, 1, 0, 9, 9, 9};
  auto broken = push(seal.get(), plain);
  broken.back() ^= 1U;
  while (auto* event = gst_harness_try_pull_upstream_event(open.get())) gst_event_unref(event);
  EXPECT_TRUE(push(open.get(), broken).empty());
  const auto event = GstPtr<GstEvent>::adopt(gst_harness_try_pull_upstream_event(open.get()));
  ASSERT_TRUE(event);
  EXPECT_TRUE(gst_event_has_name(event.get(), "GstForceKeyUnit"));
  ASSERT_EQ(gst_harness_push(open.get(), buffer_of(push(seal.get(), plain))), GST_FLOW_OK);
  const auto out = GstPtr<GstBuffer>::adopt(gst_harness_pull(open.get()));
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(out.get(), GST_BUFFER_FLAG_DISCONT));
}

TEST_F(Elements, DtxIsDroppedBeforeItIsSealed) {
  const auto seal = make("e2ee-encrypt", kOpus, key);
  EXPECT_TRUE(push(seal.get(), Bytes{0xF8, 0xFF}).empty());
  EXPECT_EQ(count(seal->element, "dropped-dtx"), 1U);
  EXPECT_EQ(count(seal->element, "counter"), 0U);
}

// The heart of a key file: however often and in however many places it is used, no key and nonce
// come twice.
TEST_F(Elements, OneFileStartedOftenAndTwiceNeverRepeatsAKeyAndNonce) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  std::set<std::uint64_t> kids;
  std::set<std::string> ciphertexts;
  const Bytes same(64, 0x42);  // The same frame under the same key and nonce would be the same.
  const auto first = make("e2ee-encrypt", kOpus, key);
  const auto second = make("e2ee-encrypt", kOpus, key);
  constexpr int kStarts = 20;
  constexpr int kFrames = 20;
  for (int start = 0; start < kStarts; ++start) {
    for (auto* harness : {first.get(), second.get()}) {
      for (int i = 0; i < kFrames; ++i) {
        const auto sealed = push(harness, same);
        const auto header = sframe::parse_header(sealed);
        ASSERT_TRUE(header);
        EXPECT_GE(header->header.kid >> 48U, 1U) << "more than 48 bits";
        kids.insert(header->header.kid);
        EXPECT_TRUE(seen.emplace(header->header.kid, header->header.ctr).second);
        EXPECT_TRUE(ciphertexts.insert(std::string(as_text(ByteView(sealed).subspan(header->size))))
                        .second);
      }
      gst_element_set_state(harness->element, GST_STATE_NULL);
      gst_element_set_state(harness->element, GST_STATE_PLAYING);
      gst_harness_set_src_caps_str(harness, kOpus);
    }
  }
  EXPECT_EQ(kids.size(), 2U * kStarts);
  EXPECT_EQ(seen.size(), 2U * kStarts * kFrames);
}

// A publisher that starts again before its first connection has ended: both come to one viewer.
TEST_F(Elements, TwoRunsOfOneFileOpenBesideEachOther) {
  const auto first = make("e2ee-encrypt", kOpus, key);
  const auto second = make("e2ee-encrypt", kOpus, key);
  const auto open = make("e2ee-decrypt", kOpus, key);
  std::vector<Bytes> kept;
  for (int i = 0; i < 20; ++i) {
    for (auto* seal : {first.get(), second.get()}) {
      const auto plain = frame();
      kept.push_back(push(seal, plain));
      EXPECT_EQ(push(open.get(), kept.back()), plain) << i;
    }
  }
  EXPECT_NE(count(first->element, "kid"), count(second->element, "kid"));
  EXPECT_EQ(count(open->element, "frames"), 40U);
  for (const auto& sealed : kept) EXPECT_TRUE(push(open.get(), sealed).empty());
  EXPECT_EQ(count(open->element, "replayed"), 40U) << "each has a window of its own";
}

TEST_F(Elements, AnotherFileWhilePlayingTakesOverForAllKids) {
  const auto before = make("e2ee-encrypt", kOpus, key);
  const auto after = make("e2ee-encrypt", kOpus, other);
  const auto open = make("e2ee-decrypt", kOpus, key);
  const auto early = push(before.get(), frame());
  EXPECT_FALSE(push(open.get(), push(before.get(), frame())).empty());
  g_object_set(open->element, "key-file", other.c_str(), nullptr);
  EXPECT_FALSE(push(open.get(), push(after.get(), frame())).empty());
  EXPECT_TRUE(push(open.get(), early).empty()) << "the file that was taken away opens nothing";
}

TEST_F(Elements, AKeyAgentThatIsNotThereHoldsNothingUpAndLetsNothingPass) {
  auto element = GstPtr<GstElement>::sink(gst_element_factory_make("e2ee-decrypt", nullptr));
  const auto address = "unix:" + (folder / "nobody").string();
  g_object_set(element.get(), "key-agent", address.c_str(), nullptr);
  const auto open = wrap(element, kOpus);
  const auto seal = make("e2ee-encrypt", kOpus, key);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(push(open.get(), push(seal.get(), frame())).empty());
  EXPECT_EQ(count(open->element, "dropped-without-key"), 50U);
  EXPECT_TRUE(message(open.get(), "key-needed"));
  g_object_set(open->element, "key-agent", nullptr, nullptr);
  g_object_set(open->element, "key-file", key.c_str(), nullptr);
  const auto plain = frame();
  EXPECT_EQ(push(open.get(), push(seal.get(), plain)), plain);
}

TEST_F(Elements, AKeyAgentThatSaysNothingDelaysOneFrameOnly) {
  const auto path = (folder / "silent").string();
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::copy(path.begin(), path.end(), address.sun_path);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  auto element = GstPtr<GstElement>::sink(gst_element_factory_make("e2ee-decrypt", nullptr));
  g_object_set(element.get(), "key-agent", ("unix:" + path).c_str(), nullptr);
  const auto open = wrap(element, kOpus);
  const auto bus = GstPtr<GstBus>::adopt(gst_element_get_bus(open->element));
  for (bool connected = false; !connected;) {
    const auto next = GstPtr<GstMessage>::adopt(gst_bus_timed_pop(bus.get(), 10 * GST_SECOND));
    ASSERT_TRUE(next);
    const auto* told = gst_message_get_structure(next.get());
    connected = told != nullptr && gst_structure_has_name(told, "key-agent") != FALSE;
  }
  const gint64 begin = g_get_monotonic_time();
  constexpr int kSenders = 40;  // Forty KIDs that are unknown: 250 ms each would be ten seconds.
  for (int i = 0; i < kSenders; ++i) {
    const auto seal = make("e2ee-encrypt", kOpus, key);
    EXPECT_TRUE(push(open.get(), push(seal.get(), frame())).empty());
  }
  EXPECT_LT(g_get_monotonic_time() - begin, 5 * G_USEC_PER_SEC);
  EXPECT_EQ(count(open->element, "dropped-without-key"), guint64{kSenders});
  close(listener);
}

TEST_F(Elements, AGivenKeyCountsOnThroughAStopAndIsNotTakenTwice) {
  const auto seal = make("e2ee-encrypt", kOpus);
  ASSERT_TRUE(set_key(seal.get(), "set-key", 77, 1));
  const auto first = push(seal.get(), frame());
  EXPECT_TRUE(set_key(seal.get(), "set-key", 77, 1)) << "the one in use: no change";
  gst_element_set_state(seal->element, GST_STATE_NULL);
  gst_element_set_state(seal->element, GST_STATE_PLAYING);
  gst_harness_set_src_caps_str(seal.get(), kOpus);
  const auto second = push(seal.get(), frame());
  EXPECT_EQ(sframe::parse_header(first)->header.ctr, 0U);
  EXPECT_EQ(sframe::parse_header(second)->header.ctr, 1U);
  EXPECT_TRUE(set_key(seal.get(), "set-key", 78, 1));
  EXPECT_FALSE(set_key(seal.get(), "set-key", 77, 1)) << "its counter would start again";
  EXPECT_EQ(sframe::parse_header(push(seal.get(), frame()))->header.kid, 78U);
  EXPECT_FALSE(set_key(seal.get(), "set-key", 79, 1, 99)) << "no such suite";
}

TEST_F(Elements, KeysRotateWhilePlaying) {
  const auto seal = make("e2ee-encrypt", kOpus);
  const auto open = make("e2ee-decrypt", kOpus);
  for (guint64 epoch = 1; epoch <= 10; ++epoch) {
    const auto fill = static_cast<std::uint8_t>(epoch);
    ASSERT_TRUE(set_key(open.get(), "add-key", epoch, fill)) << "receivers first";
    ASSERT_TRUE(set_key(seal.get(), "set-key", epoch, fill));
    for (int i = 0; i < 5; ++i) {
      const auto plain = frame();
      EXPECT_EQ(push(open.get(), push(seal.get(), plain)), plain) << epoch;
    }
    const auto changed = message(seal.get(), "key-changed");
    ASSERT_TRUE(changed);
    guint64 kid = 0;
    gst_structure_get_uint64(changed.get(), "kid", &kid);
    EXPECT_EQ(kid, epoch);
  }
  gboolean removed = FALSE;
  g_signal_emit_by_name(open->element, "remove-key", guint64{10}, &removed);
  EXPECT_TRUE(removed);
  EXPECT_TRUE(push(open.get(), push(seal.get(), frame())).empty()) << "removed: closed at once";
}

TEST_F(Elements, AnotherFileWhilePlayingIsUsedFromTheNextFrameOn) {
  const auto seal = make("e2ee-encrypt", kOpus, key);
  const auto open = make("e2ee-decrypt", kOpus, key);
  EXPECT_FALSE(push(open.get(), push(seal.get(), frame())).empty());
  g_object_set(seal->element, "key-file", other.c_str(), nullptr);
  EXPECT_TRUE(push(open.get(), push(seal.get(), frame())).empty());
  g_object_set(open->element, "key-file", other.c_str(), nullptr);
  EXPECT_FALSE(push(open.get(), push(seal.get(), frame())).empty());
  g_object_set(seal->element, "key-file", (folder / "none").c_str(), nullptr);
  EXPECT_TRUE(push(seal.get(), frame()).empty())
      << "a rotation that fails does not go on as before";
}

TEST_F(Elements, KeysComeByPropertyAndCannotBeReadBack) {
  const auto seal = make("e2ee-encrypt", kOpus);
  const auto open = make("e2ee-decrypt", kOpus);
  const e2ee::KeyMessage sent{sframe::kDefaultSuite, 4711, Secret::random(32)};
  const auto encoded = e2ee::print(sent);
  auto* bytes = g_bytes_new(encoded.view().data(), encoded.size());
  g_object_set(seal->element, "key", bytes, nullptr);
  g_object_set(open->element, "key", bytes, nullptr);
  g_bytes_unref(bytes);
  const auto plain = frame();
  const auto sealed = push(seal.get(), plain);
  EXPECT_EQ(sframe::parse_header(sealed)->header.kid, 4711U);
  EXPECT_EQ(push(open.get(), sealed), plain);
  for (auto* element : {seal->element, open->element}) {
    for (const char* name : {"key", "second-key"}) {
      const auto* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
      ASSERT_NE(spec, nullptr);
      EXPECT_EQ(spec->flags & G_PARAM_READABLE, 0);
    }
  }
  g_object_set(seal->element, "key", nullptr, nullptr);
  EXPECT_TRUE(push(seal.get(), frame()).empty());
}

TEST_F(Elements, ClearKeysStopsAtOnce) {
  const auto seal = make("e2ee-encrypt", kOpus, key);
  EXPECT_FALSE(push(seal.get(), frame()).empty());
  g_signal_emit_by_name(seal->element, "clear-keys");
  EXPECT_TRUE(push(seal.get(), frame()).empty());
}

TEST_F(Elements, TwoLayersNeedBothKeys) {
  const auto second = new_key("second", sframe::Suite::kChaCha20Poly1305Sha512);
  const auto with = [&](const char* factory, const std::string& inner) {
    auto element = GstPtr<GstElement>::sink(gst_element_factory_make(factory, nullptr));
    g_object_set(element.get(), "key-file", key.c_str(), "second-key-file",
                 inner.empty() ? nullptr : inner.c_str(), nullptr);
    return wrap(element, kVp8);
  };
  const auto seal = with("e2ee-encrypt", second);
  const Bytes plain{0x31, 1, 0, 9, 9, 9};
  EXPECT_EQ(push(with("e2ee-decrypt", second).get(), push(seal.get(), plain)), plain);
  EXPECT_TRUE(push(with("e2ee-decrypt", other).get(), push(seal.get(), plain)).empty());
  EXPECT_NE(push(with("e2ee-decrypt", "").get(), push(seal.get(), plain)), plain);
  const auto single = make("e2ee-encrypt", kVp8, key);
  EXPECT_TRUE(push(with("e2ee-decrypt", second).get(), push(single.get(), plain)).empty())
      << "one layer where two are demanded";
}

TEST_F(Elements, AKeyFileThatIsMissingOrOpenToOthersFailsTheStart) {
  const auto open_to_all = new_key("open");
  std::filesystem::permissions(open_to_all, std::filesystem::perms(0644));
  for (const char* factory : {"e2ee-encrypt", "e2ee-decrypt"}) {
    for (const auto& path : {(folder / "none").string(), open_to_all}) {
      const auto element = GstPtr<GstElement>::sink(gst_element_factory_make(factory, nullptr));
      g_object_set(element.get(), "key-file", path.c_str(), nullptr);
      EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
      gst_element_set_state(element.get(), GST_STATE_NULL);
    }
  }
}

TEST_F(Elements, AKeyringIsSharedByContextAndDestroyedForAll) {
  const auto seal = make("e2ee-encrypt", kOpus);
  ASSERT_TRUE(set_key(seal.get(), "set-key", 5, 9));
  const auto first = make("e2ee-decrypt", kOpus);
  GObject* keyring = nullptr;
  g_object_get(first->element, "keyring", &keyring, nullptr);
  auto* context = gst_context_new("sotto.e2ee.keyring", FALSE);
  gst_structure_set(gst_context_writable_structure(context), "keyring", G_OBJECT_TYPE(keyring),
                    keyring, nullptr);
  const auto element = GstPtr<GstElement>::sink(gst_element_factory_make("e2ee-decrypt", nullptr));
  gst_element_set_context(element.get(), context);
  gst_context_unref(context);
  const auto second = wrap(element, kOpus);

  auto* bytes = base_key(9);
  gboolean added = FALSE;
  g_signal_emit_by_name(keyring, "add-key", guint64{5}, guint{5}, bytes, &added);
  g_bytes_unref(bytes);
  EXPECT_TRUE(added);
  const auto plain = frame();
  const auto sealed = push(seal.get(), plain);
  EXPECT_EQ(push(first.get(), sealed), plain);
  EXPECT_EQ(push(second.get(), sealed), plain) << "each has its own window";
  g_signal_emit_by_name(keyring, "destroy");
  const auto later = push(seal.get(), frame());
  EXPECT_TRUE(push(first.get(), later).empty());
  EXPECT_TRUE(push(second.get(), later).empty());
  g_object_unref(keyring);
}

std::string caps_out(GstHarness* harness) {
  const auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(harness->element, "src"));
  const auto caps = GstPtr<GstCaps>::adopt(gst_pad_get_current_caps(pad.get()));
  g_autofree gchar* text = caps ? gst_caps_to_string(caps.get()) : nullptr;
  return text == nullptr ? "" : text;
}

TEST_F(Elements, SealedCapsAreMarkedAndOpenedOnesAreNot) {
  const auto seal = make("e2ee-encrypt", kVp8, key);
  const auto sealed = push(seal.get(), Bytes{0x31, 1, 0, 9});
  EXPECT_NE(caps_out(seal.get()).find("e2ee=(string)sframe"), std::string::npos);
  EXPECT_NE(caps_out(seal.get()).find("width=(int)320"), std::string::npos);
  const auto open = make("e2ee-decrypt", caps_out(seal.get()).c_str(), key);
  EXPECT_FALSE(push(open.get(), sealed).empty());
  EXPECT_EQ(caps_out(open.get()).find("e2ee"), std::string::npos);
}

TEST_F(Elements, WhatIsSealedIsNotSealedAgain) {
  const auto seal = make("e2ee-encrypt", "video/x-vp8, e2ee=(string)sframe", key);
  EXPECT_NE(gst_harness_push(seal.get(), buffer_of(Bytes{0x31, 1, 0, 9})), GST_FLOW_OK);
}

TEST_F(Elements, StrictCapsGoToDecryptionOnly) {
  const auto element = GstPtr<GstElement>::sink(gst_element_factory_make("e2ee-encrypt", nullptr));
  g_object_set(element.get(), "key-file", key.c_str(), nullptr);
  gst_util_set_object_arg(G_OBJECT(element.get()), "caps-mode", "strict");
  const auto seal = wrap(element, kVp8);
  const Bytes plain{0x31, 1, 0, 9};
  const auto sealed = push(seal.get(), plain);
  EXPECT_EQ(caps_out(seal.get()).rfind("application/x-e2ee", 0), 0U) << caps_out(seal.get());
  const auto open = make("e2ee-decrypt", caps_out(seal.get()).c_str(), key);
  EXPECT_EQ(push(open.get(), sealed), plain);
  EXPECT_EQ(caps_out(open.get()).rfind("video/x-vp8", 0), 0U) << caps_out(open.get());
  for (const char* factory : {"vp8dec", "rtpvp8pay"}) {
    const auto outsider = GstPtr<GstElement>::sink(gst_element_factory_make(factory, nullptr));
    const auto pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(outsider.get(), "sink"));
    const auto caps = GstPtr<GstCaps>::adopt(gst_caps_from_string(caps_out(seal.get()).c_str()));
    EXPECT_FALSE(gst_pad_query_accept_caps(pad.get(), caps.get())) << factory;
  }
}

}  // namespace
}  // namespace sotto
