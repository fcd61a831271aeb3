// SPDX-License-Identifier: MIT
#include "config/units.h"

#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "base/error.h"

namespace popsync::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array kDurationUnits = {Unit{"d", 86400}, Unit{"h", 3600}, Unit{"m", 60}, Unit{"s", 1}};

constexpr std::array kSizeUnits = {
    Unit{"TiB", 1ULL << 40U},
    Unit{"TB", 1'000'000'000'000},
    Unit{"GiB", 1ULL << 30U},
    Unit{"GB", 1'000'000'000},
    Unit{"MiB", 1ULL << 20U},
    Unit{"MB", 1'000'000},
    Unit{"KiB", 1ULL << 10U},
    Unit{"kB", 1000},
    Unit{"B", 1},
};

std::optional<std::uint64_t> parse(std::string_view text, std::span<const Unit> units, std::uint64_t max) {
  std::uint64_t number = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) return std::nullopt;
  const std::string_view name = text.substr(static_cast<std::size_t>(rest - text.data()));
  for (const Unit& unit : units) {
    if (unit.name == name) return number <= max / unit.factor ? std::optional(number * unit.factor) : std::nullopt;
  }
  return std::nullopt;
}

// Units come in falling order: the first that divides exactly gives the smallest number.
std::string text_of(std::uint64_t amount, std::span<const Unit> units) {
  const Unit* exact = &units.back();
  for (const Unit& unit : units) {
    if (amount == 0 || amount % unit.factor != 0) continue;
    exact = &unit;
    break;
  }
  return std::to_string(amount / exact->factor) + std::string(exact->name);
}

}  // namespace

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  const auto seconds = parse(text, kDurationUnits, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse(text, kSizeUnits, std::numeric_limits<std::uint64_t>::max()); }

std::string duration_text(std::chrono::seconds duration) {
  POPSYNC_ASSERT(duration.count() >= 0);
  return text_of(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::string size_text(std::uint64_t octets) { return text_of(octets, kSizeUnits); }

}  // namespace popsync::config
