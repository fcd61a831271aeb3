// SPDX-License-Identifier: MIT
#include "net/tls_memory.h"

#include <openssl/ssl.h>

#include "net/kept_tls_session.h"
#include "net/tls_context.h"

namespace popsync::net {

TlsMemory::TlsMemory() = default;
TlsMemory::~TlsMemory() = default;

const KeptTlsSession* TlsMemory::session_for(const Endpoint& endpoint, const TlsPolicy& policy, const TlsContext& context) {
  if (!kept_) return nullptr;
  PeerVerifier again(policy);
  const bool good = kept_->endpoint == endpoint && kept_->policy == policy &&
                    again.accepts(context.poco()->sslContext(), kept_->certificate.get(), kept_->chain.get());
  if (!good) kept_.reset();
  return kept_.get();
}

void TlsMemory::keep(std::unique_ptr<KeptTlsSession> session) {
  const bool resumable = !session->session.isNull() && session->certificate && SSL_SESSION_is_resumable(session->session->sslSession()) == 1;
  // A resumed connection tells no chain where the library has not kept it.
  if (resumable && !session->chain && kept_) session->chain = std::move(kept_->chain);
  kept_ = resumable ? std::move(session) : nullptr;
}

}  // namespace popsync::net
