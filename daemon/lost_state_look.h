// SPDX-License-Identifier: MIT
// A state that is made anew: was there one before that filled these mailstores? All of them are looked at, disk by disk on threads of their own,
// because one that does not answer must not hold up the start.
#pragma once

#include <string>
#include <vector>

#include "sync/lost_state.h"

namespace popsync {

constexpr std::size_t kLookThreadsMax = 16;

// As sync::lost_install_key(). Mailstores on a disk that does not answer in kHangsAfter are left out, with a warning: should the lost state have
// filled them, their accounts find a Maildir of another state and stop.
std::string look_for_lost_state(const std::string& state_dir, std::vector<sync::ConfiguredMailstore> mailstores);

}  // namespace popsync
