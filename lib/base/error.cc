// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace popsync {
namespace {

struct CodeFacts {
  ErrorCode code;
  std::string_view name;
  int exit_status;
};

constexpr std::array kCodes = {
    CodeFacts{ErrorCode::usage, "usage", 64},
    CodeFacts{ErrorCode::unknown_account, "unknown_account", 64},
    CodeFacts{ErrorCode::unknown_uid, "unknown_uid", 64},
    CodeFacts{ErrorCode::bug, "bug", 70},
    CodeFacts{ErrorCode::configuration, "configuration", 78},
    CodeFacts{ErrorCode::newer_schema, "newer_schema", 78},
    CodeFacts{ErrorCode::account_identity, "account_identity", 78},
    CodeFacts{ErrorCode::mailstore_foreign, "mailstore_foreign", 78},
    CodeFacts{ErrorCode::login_refused, "login_refused", 77},
    CodeFacts{ErrorCode::login_unclear, "login_unclear", 77},
    CodeFacts{ErrorCode::secret_unavailable, "secret_unavailable", 77},
    CodeFacts{ErrorCode::insecure_login, "insecure_login", 77},
    CodeFacts{ErrorCode::certificate, "certificate", 77},
    CodeFacts{ErrorCode::tls_failed, "tls_failed", 77},
    CodeFacts{ErrorCode::mailstore_unavailable, "mailstore_unavailable", 73},
    CodeFacts{ErrorCode::state_unavailable, "state_unavailable", 73},
    CodeFacts{ErrorCode::io_error, "io_error", 74},
    CodeFacts{ErrorCode::state_corrupt, "state_corrupt", 74},
    CodeFacts{ErrorCode::not_pop3, "not_pop3", 76},
    CodeFacts{ErrorCode::desynchronised, "desynchronised", 76},
    CodeFacts{ErrorCode::host_unknown, "host_unknown", 69},
    CodeFacts{ErrorCode::greeting_refused, "greeting_refused", 69},
    CodeFacts{ErrorCode::server_permanent, "server_permanent", 69},
    CodeFacts{ErrorCode::network, "network", 75},
    CodeFacts{ErrorCode::timeout, "timeout", 75},
    CodeFacts{ErrorCode::dns_temporary, "dns_temporary", 75},
    CodeFacts{ErrorCode::in_use, "in_use", 75},
    CodeFacts{ErrorCode::login_delay, "login_delay", 75},
    CodeFacts{ErrorCode::server_temporary, "server_temporary", 75},
    CodeFacts{ErrorCode::disk_full, "disk_full", 75},
    CodeFacts{ErrorCode::disk_hangs, "disk_hangs", 75},
    CodeFacts{ErrorCode::lock_held, "lock_held", 75},
    CodeFacts{ErrorCode::interrupted, "interrupted", 75},
    CodeFacts{ErrorCode::file_not_found, "file_not_found", 66},
    CodeFacts{ErrorCode::differences, "differences", 65},
};

constexpr std::array kWorstFirst = {64, 70, 78, 77, 74, 73, 76, 69, 75, 66, 65, 0};

const CodeFacts& facts_of(ErrorCode code) {
  const auto* found = std::ranges::find(kCodes, code, &CodeFacts::code);
  POPSYNC_ASSERT(found != kCodes.end());
  return *found;
}

}  // namespace

std::string_view name_of(ErrorCode code) { return facts_of(code).name; }

std::optional<ErrorCode> error_code_named(std::string_view name) {
  const auto* found = std::ranges::find(kCodes, name, &CodeFacts::name);
  if (found == kCodes.end()) return std::nullopt;
  return found->code;
}

int exit_status(ErrorCode code) { return facts_of(code).exit_status; }

int worse_exit_status(int left, int right) {
  for (const int status : kWorstFirst) {
    if (left == status || right == status) return status;
  }
  return exit_status(ErrorCode::bug);
}

Error::Error(ErrorCode code, std::string message, std::string hint)
    : code_(code), message_(std::move(message)), hint_(std::move(hint)), what_(hint_.empty() ? message_ : message_ + "; " + hint_) {}

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "popsync: assertion failed: %s (%s:%d); this is a bug, please report it\n", expression, file, line);
  std::abort();
}

std::string errno_text(int number) { return std::generic_category().message(number); }

}  // namespace popsync
