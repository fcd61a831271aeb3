// SPDX-License-Identifier: MIT
// Random octets from the kernel, for ids, keys, file names and jitter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace popsync {

std::string random_octets(std::size_t count);
std::uint64_t random_u64();
// Lower-case hexadecimal of `octets`.
std::string to_hex(std::string_view octets);

}  // namespace popsync
