// SPDX-License-Identifier: MIT
#include "base/format.h"

#include <spdlog/fmt/fmt.h>
#include <time.h>

#include <array>
#include <string_view>

namespace popsync {

std::string rfc3339_utc(WallTime time) {
  const time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                     parts.tm_sec);
}

std::string human_octets(std::uint64_t octets) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  if (octets < 1000) return fmt::format("{} B", octets);
  auto value = static_cast<double>(octets);
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_duration(std::chrono::milliseconds duration) {
  using namespace std::chrono;
  if (duration < seconds(1)) return fmt::format("{} ms", duration.count());
  const auto total = duration_cast<seconds>(duration).count();
  if (total < 60) return fmt::format("{} s", total);
  const auto pair = [](std::int64_t large, std::string_view large_unit, std::int64_t small, std::string_view small_unit) {
    return small == 0 ? fmt::format("{} {}", large, large_unit) : fmt::format("{} {} {} {}", large, large_unit, small, small_unit);
  };
  if (total < 3600) return pair(total / 60, "min", total % 60, "s");
  if (total < 86400) return pair(total / 3600, "h", total % 3600 / 60, "min");
  return pair(total / 86400, "d", total % 86400 / 3600, "h");
}

std::string counted(std::uint64_t count, std::string_view noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

}  // namespace popsync
