// SPDX-License-Identifier: MIT
// The log as journal entries with fields, so that `journalctl POPSYNC_ACCOUNT=work -p warning` works. For log_to() (base/log.h), when stderr is
// the journal. The stock systemd sink has no fields.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace popsync::observe {

// Thread-safe. A line that the journal does not take goes to stderr, with its priority as sd-daemon(3) writes it.
std::shared_ptr<spdlog::sinks::sink> make_journal_sink();

// The fields of one entry, "NAME=value". The message begins with the account, unless `account` is empty; then there is no POPSYNC_ACCOUNT either.
std::vector<std::string> journal_fields(LogLevel level, std::string_view account, std::string_view text);

}  // namespace popsync::observe
