// SPDX-License-Identifier: MIT
#include "secrets/secret.h"

#include <cstring>
#include <utility>

#include "secrets/locked_memory.h"

namespace popsync::secrets {

Secret::Secret(std::string_view octets) {
  if (octets.empty()) return;
  data_ = map_secret_memory(octets.size());
  size_ = octets.size();
  std::memcpy(data_, octets.data(), octets.size());
}

Secret::Secret(Secret&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe_secret_memory(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() { wipe_secret_memory(data_, size_); }

}  // namespace popsync::secrets
