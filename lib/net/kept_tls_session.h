// SPDX-License-Identifier: MIT
// What a TlsMemory holds. Private to lib/net.
#pragma once

#include <Poco/Net/Session.h>
#include <openssl/x509.h>

#include <memory>

#include "net/peer_verifier.h"
#include "net/tls_policy.h"

namespace popsync::net {

struct ChainDeleter {
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using CertificateChain = std::unique_ptr<STACK_OF(X509), ChainDeleter>;

struct KeptTlsSession {
  Endpoint endpoint;
  TlsPolicy policy;
  Poco::Net::Session::Ptr session;
  Certificate certificate;
  CertificateChain chain;  // as the server sent it, with the certificate
};

}  // namespace popsync::net
