// SPDX-License-Identifier: MIT
// Memory for secrets: pages of their own, locked against swapping where RLIMIT_MEMLOCK allows, left out of core dumps and of forked children, wiped
// before they go back to the kernel. A lock that is refused is no error: a small limit must not keep mail from being fetched.
#pragma once

#include <cstddef>
#include <string_view>

namespace popsync::secrets {

// Zeroed memory of at least `size` octets (not 0). Throws Error secret_unavailable if there is none.
char* map_secret_memory(std::size_t size);
// Wipes and unmaps what map_secret_memory(size) returned; nullptr is allowed.
void wipe_secret_memory(char* data, std::size_t size) noexcept;

// Where a secret is read into: a fixed capacity, because a buffer that grows leaves copies behind.
class SecretBuffer {
 public:
  explicit SecretBuffer(std::size_t capacity) : data_(map_secret_memory(capacity)), capacity_(capacity) {}
  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  ~SecretBuffer() { wipe_secret_memory(data_, capacity_); }

  // What is free behind the content: read into it, then keep().
  [[nodiscard]] char* free_space() { return data_ + size_; }
  [[nodiscard]] std::size_t free_size() const { return capacity_ - size_; }
  // The next `octets` of the free space are content.
  void keep(std::size_t octets) { size_ += octets; }
  [[nodiscard]] std::string_view content() const { return {data_, size_}; }

 private:
  char* data_;
  std::size_t capacity_;
  std::size_t size_ = 0;
};

}  // namespace popsync::secrets
