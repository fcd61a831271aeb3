// SPDX-License-Identifier: MIT
// What one TLS connection is allowed to be: a context of its own (POCO hides the SSL object, so the name to check and the trust are rules of the
// context), never shared; a session kept for the same account may be resumed in it (net/tls_memory.h). Must outlive the socket that uses it. One
// thread.
#pragma once

#include <Poco/Net/Context.h>
#include <openssl/ssl.h>

#include <string>

#include "net/peer_verifier.h"
#include "net/resolver.h"
#include "net/tls_policy.h"

namespace popsync::net {

class TlsContext {
 public:
  // Throws Error configuration when ca_file cannot be used, tls_failed when OpenSSL has no such context. `policy` must outlive this.
  TlsContext(const TlsPolicy& policy, const ServerName& name);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] Poco::Net::Context::Ptr poco() const { return poco_; }
  [[nodiscard]] const PeerVerifier& verifier() const { return verifier_; }
  // The connection's SSL object, of which POCO shows nothing; owned by POCO's socket, null before the handshake.
  [[nodiscard]] const SSL* ssl() const { return ssl_; }
  // The first five octets the other side sent in place of a TLS record header.
  [[nodiscard]] const std::string& first_octets() const { return first_octets_; }

 private:
  void observe(bool sent, int content_type, std::string_view octets, const SSL* ssl);

  PeerVerifier verifier_;
  Poco::Net::Context::Ptr poco_;
  const SSL* ssl_ = nullptr;
  std::string first_octets_;
};

}  // namespace popsync::net
