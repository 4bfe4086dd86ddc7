// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/peer/send_shortcut.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <nice/agent.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

GST_DEBUG_CATEGORY_EXTERN(sotto_peer_debug);
#define GST_CAT_DEFAULT sotto_peer_debug

namespace sotto {
namespace {

constexpr std::size_t kMaxSegments = 64;      // The kernel's UDP_MAX_SEGMENTS.
constexpr std::size_t kMaxRunBytes = 65'000;  // Of one datagram before it is cut, headers aside.

/// A buffer's bytes for as long as the object lives.
class Mapped {
 public:
  explicit Mapped(GstBuffer* buffer) : buffer_(buffer) {
    valid_ = gst_buffer_map(buffer, &map_, GST_MAP_READ) != FALSE;
  }
  Mapped(Mapped&& other) noexcept
      : buffer_(other.buffer_), map_(other.map_), valid_(std::exchange(other.valid_, false)) {}
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  Mapped& operator=(Mapped&&) = delete;
  ~Mapped() {
    if (valid_) gst_buffer_unmap(buffer_, &map_);
  }
  iovec part() const { return {valid_ ? map_.data : nullptr, valid_ ? map_.size : 0}; }

 private:
  GstBuffer* buffer_;
  GstMapInfo map_{};
  bool valid_;
};

}  // namespace

struct SendShortcut::Transport {
  GstPtr<GstPad> pad;
  gulong probe = 0;
  GObject* agent = nullptr;
  gulong handler = 0;
  guint stream = 0;
  guint component = 0;

  std::mutex mutex;  // Protects what follows. Held while sending, which never blocks.
  int socket = -1;   // Ours, a duplicate; -1: the long way.
  sockaddr_storage to{};
  socklen_t to_size = 0;
  bool segmentation = true;
  ShortcutStats stats;

  ~Transport() { disconnect(); }

  void disconnect() {
    if (probe != 0) gst_pad_remove_probe(pad.get(), std::exchange(probe, 0));
    if (handler != 0) g_signal_handler_disconnect(agent, std::exchange(handler, 0));
    if (agent != nullptr) g_object_unref(std::exchange(agent, nullptr));
    const std::lock_guard lock(mutex);
    forget_socket();
  }

  void forget_socket() {
    if (socket >= 0) ::close(std::exchange(socket, -1));
  }

  /// Looks at the selected pair again. Not under the agent's lock.
  void refresh() {
    NiceCandidate* local = nullptr;
    NiceCandidate* remote = nullptr;
    auto* nice = reinterpret_cast<NiceAgent*>(agent);
    const bool selected =
        nice_agent_get_selected_pair(nice, stream, component, &local, &remote) != FALSE;
    const bool plain = selected && local->type != NICE_CANDIDATE_TYPE_RELAYED &&
                       local->transport == NICE_CANDIDATE_TRANSPORT_UDP;
    GSocket* theirs = plain ? nice_agent_get_selected_socket(nice, stream, component) : nullptr;
    const std::lock_guard lock(mutex);
    forget_socket();
    if (theirs == nullptr) return;
    if (g_socket_get_socket_type(theirs) == G_SOCKET_TYPE_DATAGRAM) {
      nice_address_copy_to_sockaddr(&remote->addr, reinterpret_cast<sockaddr*>(&to));
      to_size = to.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
      socket = dup(g_socket_get_fd(theirs));
    }
    g_object_unref(theirs);
  }

  /// False: nothing was sent, because the system cannot.
  bool send_run(const iovec* parts, std::size_t count) {
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = to_size;
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
    if (count > 1) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_UDP;
      head->cmsg_type = UDP_SEGMENT;
      head->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
      const auto size = static_cast<std::uint16_t>(parts[0].iov_len);
      std::memcpy(CMSG_DATA(head), &size, sizeof(size));
    }
    ++stats.calls;
    const ssize_t sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      stats.packets += count;
      return true;
    }
    // Too old a kernel or a device without checksums: packet by packet from now on.
    if (count > 1 && (errno == EINVAL || errno == EIO || errno == EOPNOTSUPP)) return false;
    // No room, or a passing error of the network: lost, as any datagram may be. NACK repairs it.
    stats.dropped += count;
    return true;
  }

  void send_parts(const std::vector<Mapped>& mapped) {
    std::array<iovec, kMaxSegments> run{};
    std::size_t at = 0;
    while (at < mapped.size()) {
      std::size_t count = 0;
      std::size_t bytes = 0;
      // Equal sizes, of which only the last may be shorter, are one run.
      while (at + count < mapped.size() && count < kMaxSegments) {
        const iovec part = mapped[at + count].part();
        if (count > 0 &&
            (!segmentation || part.iov_len > run[0].iov_len ||
             run[count - 1].iov_len < run[0].iov_len || bytes + part.iov_len > kMaxRunBytes)) {
          break;
        }
        run[count++] = part;
        bytes += part.iov_len;
      }
      if (send_run(run.data(), count)) {
        at += count;
      } else {
        segmentation = false;
        GST_INFO_OBJECT(pad.get(), "no segmentation offload: %s", std::strerror(errno));
      }
    }
  }

  bool take(GstPadProbeInfo* info) {
    const std::lock_guard lock(mutex);
    if (socket < 0) return false;
    std::vector<Mapped> mapped;
    if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0) {
      GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
      const guint count = gst_buffer_list_length(list);
      mapped.reserve(count);
      for (guint i = 0; i < count; ++i) mapped.emplace_back(gst_buffer_list_get(list, i));
    } else {
      mapped.emplace_back(GST_PAD_PROBE_INFO_BUFFER(info));
    }
    send_parts(mapped);
    return true;
  }

  static GstPadProbeReturn on_data(GstPad* pad, GstPadProbeInfo* info, gpointer held) {
    (void)pad;
    const auto& transport = *static_cast<std::shared_ptr<Transport>*>(held);
    return transport->take(info) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
  }
};

namespace {

/// webrtcbin 1.22 puts a bin with FEC and RED encoders into every sending path, agreed or not:
///
///   clocksync ─► [ rtpulpfecenc ─► rtpredenc ] ─► rtpbin
///
/// They take buffer lists apart, and everything after them is then paid per packet instead of per
/// frame. FEC is never agreed on here, so clocksync is linked to rtpbin. No data may flow yet.
void leave_out_fec(GstElement* webrtcbin) {
  GstIterator* encoders =
      gst_bin_iterate_all_by_element_factory_name(GST_BIN(webrtcbin), "rtpulpfecenc");
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(encoders, &item) == GST_ITERATOR_OK) {
    auto* encoder = static_cast<GstElement*>(g_value_get_object(&item));
    const auto bin = GstPtr<GstObject>::adopt(gst_object_get_parent(GST_OBJECT(encoder)));
    if (bin && bin.get() != GST_OBJECT(webrtcbin) && GST_IS_BIN(bin.get())) {
      auto* element = GST_ELEMENT(bin.get());
      const auto in = GstPtr<GstPad>::adopt(gst_element_get_static_pad(element, "sink"));
      const auto out = GstPtr<GstPad>::adopt(gst_element_get_static_pad(element, "src"));
      const auto before = GstPtr<GstPad>::adopt(in ? gst_pad_get_peer(in.get()) : nullptr);
      const auto after = GstPtr<GstPad>::adopt(out ? gst_pad_get_peer(out.get()) : nullptr);
      if (before && after) {
        gst_pad_unlink(before.get(), in.get());
        gst_pad_unlink(out.get(), after.get());
        gst_pad_link_full(before.get(), after.get(), GST_PAD_LINK_CHECK_NOTHING);
      }
    }
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(encoders);
}

}  // namespace

SendShortcut::SendShortcut() = default;
SendShortcut::~SendShortcut() { close(); }

bool SendShortcut::attach(GstElement* webrtcbin) {
  using Held = std::shared_ptr<Transport>;
  leave_out_fec(webrtcbin);
  GstIterator* sinks = gst_bin_iterate_all_by_element_factory_name(GST_BIN(webrtcbin), "nicesink");
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(sinks, &item) == GST_ITERATOR_OK) {
    auto* sink = static_cast<GstElement*>(g_value_get_object(&item));
    auto transport = std::make_shared<Transport>();
    g_object_get(sink, "agent", &transport->agent, "stream", &transport->stream, "component",
                 &transport->component, nullptr);
    if (transport->agent != nullptr) {
      using OnPair = void (*)(GObject*, guint, guint, NiceCandidate*, NiceCandidate*, gpointer);
      const OnPair on_pair = [](GObject*, guint stream, guint component, NiceCandidate*,
                                NiceCandidate*, gpointer held) {
        const auto& changed = *static_cast<Held*>(held);
        if (changed->stream == stream && changed->component == component) changed->refresh();
      };
      transport->handler = g_signal_connect_data(
          transport->agent, "new-selected-pair-full", G_CALLBACK(on_pair), new Held(transport),
          [](gpointer held, GClosure*) { delete static_cast<Held*>(held); },
          static_cast<GConnectFlags>(0));
      transport->pad = GstPtr<GstPad>::adopt(gst_element_get_static_pad(sink, "sink"));
      transport->probe = gst_pad_add_probe(
          transport->pad.get(),
          static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
          Transport::on_data, new Held(transport),
          [](gpointer held) { delete static_cast<Held*>(held); });
      transport->refresh();
      transports_.push_back(std::move(transport));
    }
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(sinks);
  return !transports_.empty();
}

void SendShortcut::close() {
  for (const auto& transport : transports_) transport->disconnect();
  transports_.clear();
}

ShortcutStats SendShortcut::stats() const {
  ShortcutStats sum;
  for (const auto& transport : transports_) {
    const std::lock_guard lock(transport->mutex);
    sum.packets += transport->stats.packets;
    sum.calls += transport->stats.calls;
    sum.dropped += transport->stats.dropped;
  }
  return sum;
}

}  // namespace sotto
