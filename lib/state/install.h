// SPDX-License-Identifier: MIT
// The state directory and the identity of this installation: STATE/install.key, 32 random octets that every mailstore filled from here remembers.
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace popsync::state {

// Makes STATE (0700, with parents, durable), STATE/locks and the key if they are missing. Throws Error state_unavailable; refuses a directory
// that others may write to or that belongs to another user, and (state_corrupt) a database that has lost its content or left its log alone. A key
// that is made is `lost_key`, if that is not empty: the one of a lost state, whose mailstores are then known again.
std::string prepare_install(const std::string& state_dir, const std::string& lost_key = {});

// Throws what prepare_install() would throw, as far as can be told without making anything.
void refuse_unusable(const std::string& state_dir);

// Neither key nor database is there: never used, or lost.
bool is_unused(const std::string& state_dir);

// The state directory, if it exists. Error state_unavailable if it cannot be opened.
std::optional<UniqueFd> open_state_directory(const std::string& state_dir);

// Without making anything: the key, or empty if this state has never been used.
std::optional<std::string> read_install_key(const std::string& state_dir);

}  // namespace popsync::state
