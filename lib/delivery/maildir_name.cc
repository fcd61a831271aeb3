// SPDX-License-Identifier: MIT
#include "delivery/maildir_name.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "base/random.h"

namespace popsync::delivery {
namespace {

// The host's name with everything that has a meaning in a file name as \ooo, as the Maildir specification does for / and :.
std::string escaped_host() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0) return "localhost";
  std::string out;
  for (const char c : std::string_view(buffer.data())) {
    const auto octet = static_cast<unsigned char>(c);
    const bool plain = (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || octet == '.' ||
                       octet == '-' || octet == '_';
    out += plain ? std::string(1, c) : fmt::format("\\{:03o}", octet);
  }
  return out.empty() ? "localhost" : out;
}

}  // namespace

std::string make_name(const Clock& clock, std::string_view token) {
  static std::atomic<std::uint64_t> sequence{0};
  static const std::string host = escaped_host();
  const auto since_epoch = std::chrono::duration_cast<std::chrono::microseconds>(clock.wall().time_since_epoch()).count();
  std::string name = fmt::format("{}.M{}P{}Q{}R{}_{}.{}", since_epoch / 1'000'000, since_epoch % 1'000'000, ::getpid(), ++sequence,
                                 to_hex(random_octets(8)), token, host);
  if (name.size() > kNameOctetsMax) name.resize(kNameOctetsMax);
  return name;
}

std::string make_token(const HmacSha256& install_key, std::string_view account_id, std::string_view uid, std::optional<std::uint64_t> list_size) {
  constexpr std::size_t kTokenOctets = 6;
  const std::string size = list_size ? std::to_string(*list_size) : "";
  const std::string input = fmt::format("{}|{}|{}", account_id, uid, size);
  return to_hex(install_key.of(input).substr(0, kTokenOctets));
}

std::string make_name_like(const Clock& clock, std::string_view name) {
  const auto mark = name.find('_');  // stands once: what comes before is digits and capital letters, what comes behind is hexadecimal
  const std::string_view rest = mark == std::string_view::npos ? std::string_view() : name.substr(mark + 1);
  return make_name(clock, rest.substr(0, rest.find('.')));
}

std::string_view token_in(std::string_view name) {
  constexpr std::size_t kRandomDigits = 16;
  constexpr std::size_t kTokenDigits = 12;
  const auto all_hexadecimal = [](std::string_view text, std::size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  };
  const auto mark = name.find('_');
  if (mark == std::string_view::npos || mark < kRandomDigits) return {};
  const std::string_view token = name.substr(mark + 1, kTokenDigits);
  const std::string_view rest = name.substr(std::min(name.size(), mark + 1 + kTokenDigits));
  if (!all_hexadecimal(name.substr(mark - kRandomDigits, kRandomDigits), kRandomDigits) || !all_hexadecimal(token, kTokenDigits)) return {};
  return rest.empty() || rest.front() == '.' ? token : std::string_view();
}

std::string_view name_without_flags(std::string_view name) { return name.substr(0, name.find_first_of(",:;!")); }

}  // namespace popsync::delivery
