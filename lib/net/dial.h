// SPDX-License-Identifier: MIT
// Opens a TCP connection to the first address that answers.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/stop_signal.h"
#include "net/resolver.h"

namespace Poco::Net {  // NOLINT(readability-identifier-naming)
class StreamSocket;
}

namespace popsync::net {

constexpr std::chrono::seconds kAddressTimeoutMin{2};  // less than a lost SYN takes to be repeated (1 s) would give up on good addresses

// How long one of `addresses_left` addresses may take of the time that remains: an equal share, but at least kAddressTimeoutMin of it.
std::chrono::milliseconds fair_share(std::chrono::milliseconds remaining, std::size_t addresses_left);

// Tries each address in turn. The socket does not block, has TCP_NODELAY (a command is one small segment that must leave at once) and
// SO_KEEPALIVE set, and is not inherited by child processes. `where` ("host:port") is for messages.
// Throws Error network naming each address and its reason, timeout if that was silence everywhere, interrupted.
Poco::Net::StreamSocket dial(const std::string& where, const std::vector<Address>& addresses, const StopSignal& stop, SteadyTime deadline);

}  // namespace popsync::net
