// SPDX-License-Identifier: MIT
#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace popsync {
namespace {

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

struct MacDeleter {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using Mac = std::unique_ptr<EVP_MAC_CTX, MacDeleter>;

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

struct HmacSha256::State {
  Mac keyed;
};

HmacSha256::HmacSha256(std::string_view key) : state_(std::make_unique<State>()) {
  EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  POPSYNC_ASSERT(algorithm != nullptr);
  state_->keyed.reset(EVP_MAC_CTX_new(algorithm));
  EVP_MAC_free(algorithm);  // the context holds it
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                                                OSSL_PARAM_construct_end()};
  POPSYNC_ASSERT(state_->keyed &&
                 EVP_MAC_init(state_->keyed.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), parameters.data()) == 1);
}
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;
HmacSha256::~HmacSha256() = default;

std::string HmacSha256::of(std::string_view octets) const {
  const Mac mac(EVP_MAC_CTX_dup(state_->keyed.get()));
  std::string out(kSha256Octets, '\0');
  std::size_t size = 0;
  POPSYNC_ASSERT(mac && EVP_MAC_update(mac.get(), reinterpret_cast<const unsigned char*>(octets.data()), octets.size()) == 1 &&
                 EVP_MAC_final(mac.get(), reinterpret_cast<unsigned char*>(out.data()), &size, out.size()) == 1 && size == kSha256Octets);
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view octets) { return HmacSha256(key).of(octets); }

std::string md5_hex(std::string_view octets) { return to_hex(one_shot(EVP_md5(), octets)); }

}  // namespace popsync
