// SPDX-License-Identifier: MIT
#include "sync/stopped.h"

namespace popsync::sync {

std::string_view option_of(Acceptance acceptance) {
  switch (acceptance) {
    case Acceptance::mailstore: return "--mailstore";
    case Acceptance::gone: return "--gone";
    case Acceptance::foreign_mail: return "--foreign-mail";
    case Acceptance::user: return "--user";
  }
  return "";
}

std::vector<Acceptance> Stopped::answers() const {
  switch (reason_) {
    case StopReason::absent: return {Acceptance::gone, Acceptance::mailstore};
    case StopReason::replaced: return {Acceptance::mailstore, Acceptance::gone};
    case StopReason::older:
    case StopReason::copied:
    case StopReason::lost_state: return {Acceptance::mailstore};
    case StopReason::gone: return {Acceptance::gone};
    case StopReason::foreign_mail: return {Acceptance::foreign_mail};
    case StopReason::other_user: return {Acceptance::user};
  }
  return {};
}

std::string accept_command(const std::string& account_name) { return "`popsync accept " + account_name + "`"; }

}  // namespace popsync::sync
