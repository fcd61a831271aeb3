// SPDX-License-Identifier: MIT
#include "sync/message_warnings.h"

#include <string_view>

#include "base/format.h"
#include "base/log.h"

namespace popsync::sync {
namespace {

struct Texts {
  std::string_view one;
  std::string_view many;
};

// In the order of MessageTrouble; behind "1 message more" and "5 messages more".
constexpr std::array kTexts = {
    Texts{.one = "is over max_message_size and is held", .many = "are over max_message_size and are held"},
    Texts{.one = "was refused or broke a session", .many = "were refused or broke a session"},
    Texts{.one = "has fewer octets than the server listed", .many = "have fewer octets than the server listed"},
    Texts{.one = "was changed since it was stored", .many = "were changed since they were stored"},
    Texts{.one = "came back each time it was deleted", .many = "came back each time they were deleted"},
    Texts{.one = "was damaged in staging and is fetched again", .many = "were damaged in staging and are fetched again"},
    Texts{.one = "in the mbox is not as it was written and is appended again",
          .many = "in the mbox are not as they were written and are appended again"},
};

}  // namespace

void MessageWarnings::tell_rest() {
  static_assert(kTexts.size() == std::tuple_size_v<decltype(counts_)>);
  for (std::size_t kind = 0; kind < counts_.size(); ++kind) {
    if (counts_.at(kind) <= kToldMax) continue;
    const std::size_t rest = counts_.at(kind) - kToldMax;
    log_warning(account_, counted(rest, "message") + " more " + std::string(rest == 1 ? kTexts.at(kind).one : kTexts.at(kind).many));
  }
  counts_ = {};
}

}  // namespace popsync::sync
