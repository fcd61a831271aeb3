// SPDX-License-Identifier: MIT
// Decides whether the certificate a server shows is good enough, inside the handshake: OpenSSL asks before our Finished message, so a server
// that fails never gets an octet of ours beyond the handshake. Fails closed: what was not looked at was not accepted. Collects every check that
// failed, not only the first, for the message. One connection, one thread.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "net/tls_policy.h"

namespace popsync::net {

struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, CertificateDeleter>;

struct FailedCheck {
  int code = 0;   // X509_V_ERR_*
  int depth = 0;  // 0: the server's certificate, else an authority's
  Certificate certificate;
};

class PeerVerifier {
 public:
  // `policy` must outlive this.
  explicit PeerVerifier(const TlsPolicy& policy) : policy_(policy) {}
  PeerVerifier(const PeerVerifier&) = delete;
  PeerVerifier& operator=(const PeerVerifier&) = delete;

  // Takes the place of OpenSSL's verification in `context`. The name to check is in the context's X509_VERIFY_PARAM. This must outlive the context.
  void install(SSL_CTX* context);

  // The same verdict outside a handshake, for a certificate that was shown in an earlier one; `context` has the authorities and the name of now.
  bool accepts(SSL_CTX* context, X509* certificate, STACK_OF(X509) * chain);

  // True once a certificate was shown that satisfies the policy.
  [[nodiscard]] bool accepted() const { return accepted_; }
  // True once a certificate was shown that does not.
  [[nodiscard]] bool refused() const { return leaf_ && !accepted_; }
  [[nodiscard]] const X509* certificate() const { return leaf_.get(); }
  [[nodiscard]] const std::vector<FailedCheck>& failed_checks() const { return failed_checks_; }
  [[nodiscard]] bool pin_missed() const { return pin_missed_; }
  // The server sent its own certificate and none of an authority.
  [[nodiscard]] bool shown_alone() const { return shown_alone_; }
  // SHA-256 of the SubjectPublicKeyInfo of the server's certificate, 32 octets.
  [[nodiscard]] const std::string& spki_sha256() const { return spki_sha256_; }

 private:
  bool verify(X509_STORE_CTX* store);
  bool chain_is_good(X509_STORE_CTX* store);
  void record(X509_STORE_CTX* store);

  const TlsPolicy& policy_;
  bool accepted_ = false;
  bool pin_missed_ = false;
  bool shown_alone_ = false;
  Certificate leaf_;
  std::string spki_sha256_;
  std::vector<FailedCheck> failed_checks_;
};

}  // namespace popsync::net
