// SPDX-License-Identifier: MIT
// "Did you mean ...?": the known word nearest to a mistyped one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace popsync {

// The candidate with the smallest edit distance, if that is at most a third of the word (at least 2); else none.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// "; did you mean \"x\"?" or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace popsync
