// SPDX-License-Identifier: MIT
#include "net/peer_verifier.h"

#include <openssl/x509_vfy.h>

#include <algorithm>

#include "base/digest.h"

namespace popsync::net {
namespace {

constexpr std::size_t kFailedChecksMax = 16;  // a hostile chain can fail at every depth

Certificate share(X509* certificate) {
  if (certificate == nullptr || X509_up_ref(certificate) != 1) return nullptr;
  return Certificate(certificate);
}

// Empty if the key cannot be encoded.
std::string digest_of_key(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  const std::string octets(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return sha256(octets);
}

}  // namespace

void PeerVerifier::install(SSL_CTX* context) {
  // Without a callback of our own here, POCO's would ask its SSLManager, which reads an application's configuration.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(
      context,
      [](X509_STORE_CTX* store, void* self) noexcept {
        try {
          return static_cast<PeerVerifier*>(self)->verify(store) ? 1 : 0;
        } catch (...) {  // out of memory: no exception may cross OpenSSL
          X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
          return 0;
        }
      },
      this);
}

bool PeerVerifier::accepts(SSL_CTX* context, X509* certificate, STACK_OF(X509) * chain) {
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> store(X509_STORE_CTX_new(), &X509_STORE_CTX_free);
  if (!store || X509_STORE_CTX_init(store.get(), SSL_CTX_get_cert_store(context), certificate, chain) != 1) return false;
  // As OpenSSL does it in a handshake: a server's certificate, the rules of the context, the strength of keys that its security level asks for.
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(store.get());
  if (X509_STORE_CTX_set_default(store.get(), "ssl_server") != 1 || X509_VERIFY_PARAM_set1(rules, SSL_CTX_get0_param(context)) != 1) return false;
  X509_VERIFY_PARAM_set_auth_level(rules, SSL_CTX_get_security_level(context));
  return verify(store.get());
}

bool PeerVerifier::verify(X509_STORE_CTX* store) {
  accepted_ = false;
  leaf_ = share(X509_STORE_CTX_get0_cert(store));
  if (!leaf_) return false;
  const STACK_OF(X509)* shown = X509_STORE_CTX_get0_untrusted(store);  // the server's own certificate among them
  shown_alone_ = shown == nullptr || sk_X509_num(shown) <= 1;
  spki_sha256_ = digest_of_key(leaf_.get());
  const bool pinned = !spki_sha256_.empty() && std::ranges::find(policy_.pins_sha256, spki_sha256_) != policy_.pins_sha256.end();
  pin_missed_ = policy_.trust != TlsTrust::ca && !pinned;
  const bool chain_good = policy_.trust == TlsTrust::pin || chain_is_good(store);
  accepted_ = chain_good && !pin_missed_;
  const int reason = accepted_ ? X509_V_OK : failed_checks_.empty() ? X509_V_ERR_CERT_UNTRUSTED : failed_checks_.front().code;
  X509_STORE_CTX_set_error(store, reason);  // chooses the alert
  return accepted_;
}

bool PeerVerifier::chain_is_good(X509_STORE_CTX* store) {
  X509_STORE_CTX_set_app_data(store, this);
  X509_STORE_CTX_set_verify_cb(store, [](int good, X509_STORE_CTX* context) noexcept {
    if (good == 1) return 1;
    try {
      static_cast<PeerVerifier*>(X509_STORE_CTX_get_app_data(context))->record(context);
    } catch (...) {
      return 0;
    }
    return 1;  // go on, to know all that is wrong; what was recorded decides in the end
  });
  return X509_verify_cert(store) == 1 && failed_checks_.empty();
}

void PeerVerifier::record(X509_STORE_CTX* store) {
  if (failed_checks_.size() == kFailedChecksMax) return;
  failed_checks_.push_back({X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_error_depth(store), share(X509_STORE_CTX_get_current_cert(store))});
}

}  // namespace popsync::net
