// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipelines/mountpoint/data_port.h"

#include "pipelines/mountpoint/udp_socket.h"

#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace sotto {
namespace {

constexpr std::size_t kMaxDatagram = 65'536;

}  // namespace

Result<std::unique_ptr<DataPort>> DataPort::open(MainContext& main, const std::string& address,
                                                 std::uint16_t port, Receive receive) {
  const auto bound = bind_udp(address, port);
  if (!bound) return tl::unexpected<Error>(bound.error());
  std::unique_ptr<DataPort> self(new DataPort(bound->fd, bound->port, std::move(receive)));
  self->source_ = g_unix_fd_source_new(bound->fd, G_IO_IN);
  const GUnixFDSourceFunc readable = [](gint, GIOCondition, gpointer held) -> gboolean {
    static_cast<DataPort*>(held)->read();
    return G_SOURCE_CONTINUE;
  };
  g_source_set_callback(self->source_, G_SOURCE_FUNC(readable), self.get(), nullptr);
  g_source_attach(self->source_, main.raw());
  return self;
}

DataPort::~DataPort() {
  g_source_destroy(source_);
  g_source_unref(source_);
  ::close(fd_);
}

void DataPort::read() {
  std::array<std::uint8_t, kMaxDatagram> datagram;
  for (int i = 0; i < kMaxAtOnce; ++i) {
    const auto got = ::recv(fd_, datagram.data(), datagram.size(), 0);
    if (got < 0) return;
    receive_({datagram.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace sotto
