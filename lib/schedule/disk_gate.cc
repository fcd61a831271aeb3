// SPDX-License-Identifier: MIT
#include "schedule/disk_gate.h"

#include <algorithm>

namespace popsync::schedule {

void DiskGate::begin(const std::string& account, SteadyTime now) {
  sessions_.emplace(account, Session());
  next_look_ = std::min(next_look_.value_or(now + kHangsAfter), now + kHangsAfter);
}

void DiskGate::end(const std::string& account) {
  const auto found = sessions_.find(account);
  if (found == sessions_.end()) return;
  if (found->second.trouble) changed_.insert(account);
  sessions_.erase(found);
  if (account == scout_) {
    scout_.clear();
    scout_back_ = true;
  }
  proven_.insert(account);
}

void DiskGate::forget(const std::string& account) {
  if (kept_.erase(account) > 0) changed_.insert(account);
  proven_.erase(account);
}

std::vector<std::string> DiskGate::look(SteadyTime now, DueQueue& queue, std::size_t hanging_max) {
  next_look_.reset();
  for (auto& [account, session] : sessions_) look_at(account, session, now, queue);
  set_aside(queue, hanging_max);
  const auto dead_before = std::exchange(dead_, {});
  const std::size_t hanging_before = std::exchange(hanging_, 0);
  note_dead_disks();
  if (kept_.empty()) return {};
  if (dead_before == dead_ && hanging_before <= hanging_ && !std::exchange(scout_back_, false) && now < review_at_) {
    next_look_ = std::min(next_look_.value_or(review_at_), review_at_);
    return {};
  }
  review_at_ = now + kHangsAfter;  // somebody may have mounted something else there
  next_look_ = std::min(next_look_.value_or(review_at_), review_at_);
  return release(hanging_max);
}

void DiskGate::look_at(const std::string& account, Session& session, SteadyTime now, DueQueue& queue) {
  const auto since = watch_.waits_since(account);
  if (since && now - *since >= kHangsAfter) {
    if (session.trouble && session.trouble->since == *since) return;
    DiskPlace place = watch_.waits_at(account);
    session.trouble = DiskTrouble{.since = *since, .path = std::move(place.path), .disk = std::move(place.disk)};
    changed_.insert(account);
    return;
  }
  const SteadyTime next = since.value_or(now) + kHangsAfter;
  next_look_ = std::min(next_look_.value_or(next), next);
  if (!session.trouble) return;
  session.trouble.reset();
  changed_.insert(account);
  if (std::exchange(session.aside, false)) queue.take_back(account);
}

void DiskGate::set_aside(DueQueue& queue, std::size_t hanging_max) {
  std::size_t aside = 0;
  for (const auto& [account, session] : sessions_) aside += session.aside ? 1 : 0;
  for (auto& [account, session] : sessions_) {
    if (!session.trouble || session.aside || aside >= hanging_max) continue;
    queue.set_aside(account);
    session.aside = true;
    ++aside;
  }
}

void DiskGate::note_dead_disks() {
  for (const auto& [account, session] : sessions_) {
    if (!session.trouble) continue;
    ++hanging_;
    if (session.trouble->disk.empty()) continue;
    SteadyTime& since = dead_.try_emplace(session.trouble->disk, session.trouble->since).first->second;
    since = std::min(since, session.trouble->since);
  }
}

bool DiskGate::admits(const std::string& account, std::size_t hanging_max) {
  const Verdict verdict = judge(account, hanging_max);
  if (!verdict.admitted) {
    kept_.insert_or_assign(account, verdict.trouble);
    changed_.insert(account);
    return false;
  }
  if (verdict.as_scout) scout_ = account;
  if (kept_.erase(account) > 0) changed_.insert(account);
  return true;
}

// A mailstore behind a symbolic link shows its disk only once somebody has gone there. While as many hang as may, each that goes to a dead disk takes
// a place from the others. So of those that may be led there one goes at a time, and none once one of them is lost.
DiskGate::Verdict DiskGate::judge(const std::string& account, std::size_t hanging_max) const {
  if (hanging_ == 0) return {};
  const DiskPlace home = watch_.home_of(account);
  if (const auto dead = dead_.find(home.disk); dead != dead_.end()) {
    return {.admitted = false, .trouble = DiskTrouble{.since = dead->second, .path = home.path, .disk = home.disk}};
  }
  if (hanging_ < hanging_max || home.sure || proven_.contains(account)) return {};
  const bool free = scout_.empty() && hanging_ == hanging_max;
  return {.admitted = free, .as_scout = free};
}

std::vector<std::string> DiskGate::release(std::size_t hanging_max) {
  std::vector<std::string> free;
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    if (!judge(kept->first, hanging_max).admitted) {
      ++kept;
      continue;
    }
    changed_.insert(kept->first);
    free.push_back(kept->first);
    kept = kept_.erase(kept);
  }
  return free;
}

bool DiskGate::hangs(const std::string& account) const {
  const auto found = sessions_.find(account);
  return found != sessions_.end() && found->second.trouble;
}

std::optional<DiskTrouble> DiskGate::trouble_of(const std::string& account) const {
  if (const auto found = sessions_.find(account); found != sessions_.end()) return found->second.trouble;
  const auto kept = kept_.find(account);
  return kept == kept_.end() ? std::nullopt : kept->second;
}

}  // namespace popsync::schedule
