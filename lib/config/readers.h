// SPDX-License-Identifier: MIT
// One written value to one C++ value: what the key table is made of. Each returns nothing after saying in Faults what was expected. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/value.h"

namespace popsync::config {

std::optional<bool> read_boolean(const Value& value, Faults& faults);
std::optional<std::int64_t> read_number(const Value& value, std::int64_t min, std::int64_t max, Faults& faults);
std::optional<std::chrono::seconds> read_duration(const Value& value, std::chrono::seconds min, std::chrono::seconds max, Faults& faults);
std::optional<std::uint64_t> read_size(const Value& value, std::uint64_t min, std::uint64_t max, Faults& faults);
std::optional<std::string> read_text(const Value& value, Faults& faults);
// A path, absolute or beginning with "~/".
std::optional<std::string> read_path(const Value& value, Faults& faults);
// A list of strings; `of_what` for the message.
std::optional<std::vector<std::string>> read_list(const Value& value, std::string_view of_what, Faults& faults);
// The place of the word among `words`.
std::optional<std::size_t> read_choice(const Value& value, std::span<const std::string_view> words, Faults& faults);

}  // namespace popsync::config
