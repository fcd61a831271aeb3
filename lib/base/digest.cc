// SPDX-License-Identifier: MIT
#include "base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace popsync {
namespace {

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

std::string one_shot(const EVP_MD* algorithm, std::string_view octets) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  POPSYNC_ASSERT(EVP_Digest(octets.data(), octets.size(), reinterpret_cast<unsigned char*>(out.data()), &size, algorithm, nullptr) == 1);
  out.resize(size);
  return out;
}

}  // namespace

struct Sha256::State {
  Context context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  POPSYNC_ASSERT(state_->context && EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view octets) { POPSYNC_ASSERT(EVP_DigestUpdate(state_->context.get(), octets.data(), octets.size()) == 1); }

Sha256 Sha256::fork() const {
  Sha256 twin;
  POPSYNC_ASSERT(EVP_MD_CTX_copy_ex(twin.state_->context.get(), state_->context.get()) == 1);
  return twin;
}

std::string Sha256::finish() {
  std::string out(kSha256Octets, '\0');
  POPSYNC_ASSERT(EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1);
  return out;
}

std::string sha256(std::string_view octets) { return one_shot(EVP_sha256(), octets); }

std::string hmac_sha256(std::string_view key, std::string_view octets) {
  std::string out(kSha256Octets, '\0');
  unsigned int size = 0;
  POPSYNC_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(octets.data()), octets.size(),
                      reinterpret_cast<unsigned char*>(out.data()), &size) != nullptr);
  return out;
}

std::string md5_hex(std::string_view octets) { return to_hex(one_shot(EVP_md5(), octets)); }

}  // namespace popsync
