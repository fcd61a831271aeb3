// SPDX-License-Identifier: MIT
// SHA-256 and HMAC-SHA256 over OpenSSL, and MD5 for APOP (RFC 1939 section 7) alone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace popsync {

constexpr std::size_t kSha256Octets = 32;

// A SHA-256 in the making. Not thread-safe; movable.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::string_view octets);
  // An independent digest that has seen the same octets so far.
  [[nodiscard]] Sha256 fork() const;
  // The 32 octets; the object is spent.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// HMAC-SHA256 under one key, prepared once for many inputs: preparing costs ten times what a short input does. Movable; of() may be called from
// several threads.
class HmacSha256 {
 public:
  explicit HmacSha256(std::string_view key);
  HmacSha256(HmacSha256&&) noexcept;
  HmacSha256& operator=(HmacSha256&&) noexcept;
  ~HmacSha256();
  [[nodiscard]] std::string of(std::string_view octets) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view octets);
std::string hmac_sha256(std::string_view key, std::string_view octets);
std::string md5_hex(std::string_view octets);

}  // namespace popsync
