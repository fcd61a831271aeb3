// SPDX-License-Identifier: MIT
// The TLS session of one account between its connections, so that the next handshake needs neither certificates nor signatures. In memory only, one
// object for each account: a ticket that wandered to another one would tie the two together, and show one account's server the other's trust. Used
// by one connection at a time; must outlive it.
//
// Resuming proves that the server is the one whose certificate was verified then. What was verified then is verified again before a session is
// offered, against the policy of now (dates, authorities, name, pins); if it fails, or if address or policy are not those of then, the session is
// dropped and the server has to show its certificate.
#pragma once

#include <memory>

#include "net/tls_policy.h"

namespace popsync::net {

struct KeptTlsSession;
class TlsContext;

class TlsMemory {
 public:
  TlsMemory();
  TlsMemory(const TlsMemory&) = delete;
  TlsMemory& operator=(const TlsMemory&) = delete;
  ~TlsMemory();

  // The session to offer on a connection of this context; null if there is none that may be.
  const KeptTlsSession* session_for(const Endpoint& endpoint, const TlsPolicy& policy, const TlsContext& context);
  // At the end of a connection. A session that cannot be resumed takes the place of none.
  void keep(std::unique_ptr<KeptTlsSession> session);

 private:
  std::unique_ptr<KeptTlsSession> kept_;
};

}  // namespace popsync::net
