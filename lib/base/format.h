// SPDX-License-Identifier: MIT
// Times, sizes and durations as text for people and for JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace popsync {

// "2026-01-31T08:30:00Z" (RFC 3339, UTC).
std::string rfc3339_utc(WallTime time);
// "9 B", "12.3 kB", "1.2 GB": powers of 1000.
std::string human_octets(std::uint64_t octets);
// "850 ms", "12 s", "3 min 20 s", "2 h 5 min", "14 d".
std::string human_duration(std::chrono::milliseconds duration);
// "1 message", "2 messages"
std::string counted(std::uint64_t count, std::string_view noun);

}  // namespace popsync
