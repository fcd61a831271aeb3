// SPDX-License-Identifier: MIT
// Transport over POCO's sockets, which never block here: each wait is wait_ready(). Includes connect() with what the tests need to bend.
#pragma once

#include <chrono>
#include <memory>

#include "net/resolver.h"
#include "net/transport.h"

namespace popsync::net {

struct ConnectOptions {
  Lookup lookup = system_lookup;
  std::chrono::milliseconds connect_timeout = kConnectTimeout;  // for the look-up, and again for all addresses together
  std::chrono::milliseconds tls_timeout = kTlsTimeout;
  TlsMemory* memory = nullptr;
};

// As connect() in transport.h.
std::unique_ptr<Transport> connect(const Endpoint& endpoint, const TlsPolicy& policy, const StopSignal& stop, const ConnectOptions& options);

}  // namespace popsync::net
