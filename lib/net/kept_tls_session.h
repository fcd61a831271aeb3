// SPDX-License-Identifier: MIT
// What a TlsMemory holds. Private to lib/net.
#pragma once

#include <Poco/Net/Session.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

#include "net/peer_verifier.h"
#include "net/tls_policy.h"

namespace popsync::net {

struct ChainDeleter {
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using CertificateChain = std::unique_ptr<STACK_OF(X509), ChainDeleter>;

// A session taken from OpenSSL, as POCO wants it. What POCO's own currentSession() gives hangs on its version: from 1.13 on nothing, unless a session
// cache is enabled.
class TakenTlsSession : public Poco::Net::Session {
 public:
  explicit TakenTlsSession(SSL_SESSION* session) : Session(session) {}  // which is its own from here on
};

struct KeptTlsSession {
  Endpoint endpoint;
  TlsPolicy policy;
  Poco::Net::Session::Ptr session;
  Certificate certificate;
  CertificateChain chain;  // as the server sent it, with the certificate
};

}  // namespace popsync::net
