// SPDX-License-Identifier: MIT
#include "pop3/secret_mask.h"

#include <algorithm>

namespace popsync::pop3 {
namespace {

constexpr std::string_view kMask = "***";

// How much of the end of `text` is a beginning of `secret`, but not all of it.
std::size_t begun_at_end(std::string_view text, std::string_view secret) {
  std::size_t size = std::min(text.size(), secret.size() - 1);
  while (!text.ends_with(secret.substr(0, size))) --size;
  return size;
}

}  // namespace

void SecretMask::hide(std::string_view secret) {
  if (!secret.empty()) secrets_.push_back(secret);
}

bool SecretMask::hides(std::string_view secret) const { return std::ranges::find(secrets_, secret) != secrets_.end(); }

std::optional<std::string> SecretMask::masked(std::string_view foreign, End end) const {
  // Octet by octet, because occurrences may overlap: of one secret ("abab"), or of two (a base64 response may hold a short password by chance).
  std::vector<bool> hidden;
  const auto hide_octets = [&](std::size_t at, std::size_t size) {
    hidden.resize(foreign.size());
    std::fill_n(hidden.begin() + static_cast<std::ptrdiff_t>(at), size, true);
  };
  for (const std::string_view secret : secrets_) {
    for (auto at = foreign.find(secret); at != std::string_view::npos; at = foreign.find(secret, at + 1)) {
      if (secret.size() < kSecretOctetsInTextMin) return std::string(kMask);
      hide_octets(at, secret.size());
    }
    const std::size_t begun = end == End::open ? begun_at_end(foreign, secret) : 0;
    if (begun > 0) hide_octets(foreign.size() - begun, begun);
  }
  if (hidden.empty()) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < foreign.size(); ++i) {
    if (!hidden[i]) {
      out += foreign[i];
    } else if (i == 0 || !hidden[i - 1]) {
      out += kMask;
    }
  }
  return out;
}

}  // namespace popsync::pop3
