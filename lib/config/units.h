// SPDX-License-Identifier: MIT
// Durations ("30s" "5m" "2h" "14d") and sizes ("512B" "10kB" "25MiB") as they are written in the configuration and on the command line: one whole
// number and one unit, nothing between them. A bare number is refused: nobody remembers whether it meant seconds or minutes. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace popsync::config {

constexpr std::string_view kDurationExamples = "\"30s\", \"5m\", \"2h\" or \"14d\"";
constexpr std::string_view kSizeExamples = "\"512B\", \"10kB\" or \"25MiB\"";

// s, m, h, d. Empty if it is not written so, or does not fit.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);
// B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024), octets. Empty if it is not written so, or does not fit.
std::optional<std::uint64_t> parse_size(std::string_view text);

// The shortest exact text that parse_duration() and parse_size() read back: "5m", "90s", "512MiB", "25MB". The duration must not be negative.
std::string duration_text(std::chrono::seconds duration);
std::string size_text(std::uint64_t octets);

}  // namespace popsync::config
