// SPDX-License-Identifier: MIT
// A password in memory: locked against swapping where the limit allows, kept out of core dumps (MADV_DONTDUMP), wiped when dropped. It is never
// printed, logged, compared with == or stored. Movable, not copyable: each copy is another place to wipe.
#pragma once

#include <cstddef>
#include <string_view>

namespace popsync::secrets {

class Secret {
 public:
  Secret() = default;
  // Copies `octets` into locked memory; wiping the source is up to the caller.
  explicit Secret(std::string_view octets);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  // Valid until the secret is moved or dropped. For the credential gate alone.
  [[nodiscard]] std::string_view reveal() const { return {data_, size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  char* data_ = nullptr;  // an anonymous mapping of its own
  std::size_t size_ = 0;
};

}  // namespace popsync::secrets
