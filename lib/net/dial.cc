// SPDX-License-Identifier: MIT
#include "net/dial.h"

#include <Poco/Exception.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/unique_fd.h"
#include "net/wait.h"

namespace popsync::net {
namespace {

std::chrono::milliseconds until(SteadyTime deadline) {
  return std::max(std::chrono::milliseconds(0), std::chrono::floor<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
}

// 0, or the errno that says why not; ETIMEDOUT if the deadline passed.
int connect_one(int fd, const Address& address, const StopSignal& stop, SteadyTime deadline) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (!wait_ready(fd, POLLOUT, stop, deadline)) return ETIMEDOUT;
  int reason = 0;
  socklen_t size = sizeof reason;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) == 0 ? reason : errno;
}

Poco::Net::StreamSocket adopt(UniqueFd fd) {
  auto* impl = new Poco::Net::StreamSocketImpl(fd.get());
  std::ignore = fd.release();
  Poco::Net::StreamSocket socket(impl);  // counts the only reference; closes the descriptor
  socket.setBlocking(false);
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return socket;
}

}  // namespace

std::chrono::milliseconds fair_share(std::chrono::milliseconds remaining, std::size_t addresses_left) {
  const auto share = remaining / static_cast<std::chrono::milliseconds::rep>(std::max<std::size_t>(addresses_left, 1));
  return std::min(remaining, std::max<std::chrono::milliseconds>(share, kAddressTimeoutMin));
}

Poco::Net::StreamSocket dial(const std::string& where, const std::vector<Address>& addresses, const StopSignal& stop, SteadyTime deadline) {
  const auto begin = std::chrono::steady_clock::now();
  std::string reasons;
  bool all_silent = true;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    throw_if_stopped(stop);
    const Address& address = addresses[i];
    // POCO 1.11 makes sockets that child processes inherit: a hook would hold the connection, and the maildrop's lock, after we closed it.
    UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto share = fair_share(until(deadline), addresses.size() - i);
    const int reason = fd.valid() ? connect_one(fd.get(), address, stop, std::chrono::steady_clock::now() + share) : errno;
    if (reason == 0) return adopt(std::move(fd));
    all_silent = all_silent && reason == ETIMEDOUT;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", to_text(address), reason == ETIMEDOUT ? "no answer" : errno_text(reason));
  }
  const auto spent = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  if (all_silent) throw Error(ErrorCode::timeout, fmt::format("cannot connect to {} within {}: {}", where, human_duration(spent), reasons));
  throw Error(ErrorCode::network, fmt::format("cannot connect to {}: {}", where, reasons), "are `host` and `port` right, and is the network up?");
}

}  // namespace popsync::net
