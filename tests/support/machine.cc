// SPDX-License-Identifier: MIT
#include "support/machine.h"

#include <unistd.h>

#include <utility>

namespace popsync::test {

bool strikes(FaultKind fault, CallKind call) {
  switch (fault) {
    case FaultKind::none: return true;
    case FaultKind::kill:
    case FaultKind::power_cut: return call != CallKind::look && call != CallKind::close;  // nothing on the disk changes there
    case FaultKind::io_error:
    case FaultKind::dead_disk: return true;
    case FaultKind::dead_syncs: return call == CallKind::sync_file || call == CallKind::sync_directory;
    case FaultKind::disk_full:  // space that was promised to a write may be missing at its sync
      return call == CallKind::make || call == CallKind::write || call == CallKind::move || call == CallKind::sync_file ||
             call == CallKind::sync_directory;
    case FaultKind::short_write: return call == CallKind::write;
  }
  return false;
}

Machine::Machine(FaultPlan plan, const std::string& attic, std::function<void()> end)
    : plan_(std::move(plan)), disk_(attic.empty() ? nullptr : std::make_unique<VolatileDisk>(attic, plan_.without_journal)), end_(std::move(end)) {
  if (!end_) end_ = [] { ::_exit(kCrashed); };
}

Machine::Outcome Machine::next(CallKind call, std::string_view what) {
  if (!strikes(plan_.kind, call) || (plan_.only && !plan_.only(call, what))) return Outcome::normal;
  ++steps_;
  const bool lasting = plan_.kind == FaultKind::dead_disk || plan_.kind == FaultKind::dead_syncs || plan_.kind == FaultKind::disk_full;
  const bool first = steps_ == plan_.step;
  if (first) {
    struck_ = what;
    if (tell_) tell_(steps_, struck_);
  }
  if (plan_.step == 0 || !(first || (lasting && steps_ > plan_.step))) return Outcome::normal;
  switch (plan_.kind) {
    case FaultKind::none: break;
    case FaultKind::kill:
    case FaultKind::power_cut:
      if (call == CallKind::write) return Outcome::torn;
      crash();
      break;
    case FaultKind::io_error:
    case FaultKind::dead_disk:
    case FaultKind::dead_syncs: return Outcome::io_error;
    case FaultKind::disk_full: return Outcome::disk_full;
    case FaultKind::short_write: return Outcome::short_write;
  }
  return Outcome::normal;
}

void Machine::crash() {
  if (plan_.kind == FaultKind::power_cut) cut_power();
  end_();
}

void Machine::cut_power() {
  if (disk_) disk_->cut_power(plan_.seed);
}

}  // namespace popsync::test
