// SPDX-License-Identifier: MIT
#include "schedule/due_queue.h"

#include "base/error.h"

namespace popsync::schedule {

DueQueue::DueQueue(Limits limits) : limits_(limits) { POPSYNC_ASSERT(limits.sessions_max > 0 && limits.sessions_per_host_max > 0); }

void DueQueue::set_limits(Limits limits) {
  POPSYNC_ASSERT(limits.sessions_max > 0 && limits.sessions_per_host_max > 0);
  limits_ = limits;
  for (auto host = hosts_.begin(); host != hosts_.end(); ++host) refresh(host);
}

void DueQueue::put(const std::string& account, const std::string& host, SteadyTime due) {
  POPSYNC_ASSERT(!running_.contains(account) && !aside_.contains(account));  // two sessions on one maildrop
  remove(account);
  const auto at = hosts_.try_emplace(host).first;
  const Turn turn{due, sequence_++};
  at->second.waiting.emplace(turn, account);
  waiting_.emplace(account, Place{at, turn});
  refresh(at);
}

void DueQueue::remove(const std::string& account) {
  const auto found = waiting_.find(account);
  if (found == waiting_.end()) return;
  const auto host = found->second.host;
  host->second.waiting.erase(found->second.turn);
  waiting_.erase(found);
  refresh(host);
  if (host->second.waiting.empty() && host->second.running == 0) hosts_.erase(host);
}

std::optional<std::string> DueQueue::pop(SteadyTime now) {
  const auto due = next_due();
  if (!due || *due > now) return std::nullopt;
  const auto host = ready_.begin()->second;
  const auto first = host->second.waiting.begin();
  std::string account = first->second;
  host->second.waiting.erase(first);
  waiting_.erase(account);
  ++host->second.running;
  running_.emplace(account, host);
  refresh(host);
  return account;
}

void DueQueue::finish(const std::string& account) {
  if (aside_.erase(account) > 0) return;
  const auto found = running_.find(account);
  POPSYNC_ASSERT(found != running_.end());
  const auto host = found->second;
  running_.erase(found);
  --host->second.running;
  refresh(host);
  if (host->second.waiting.empty() && host->second.running == 0) hosts_.erase(host);
}

void DueQueue::set_aside(const std::string& account) {
  const auto found = running_.find(account);
  POPSYNC_ASSERT(found != running_.end());
  std::string host = found->second->first;
  finish(account);
  aside_.emplace(account, std::move(host));
}

void DueQueue::take_back(const std::string& account) {
  auto found = aside_.extract(account);
  POPSYNC_ASSERT(!found.empty());
  const auto host = hosts_.try_emplace(found.mapped()).first;
  ++host->second.running;
  running_.emplace(account, host);
  refresh(host);
}

std::optional<SteadyTime> DueQueue::next_due() const {
  if (ready_.empty() || running_.size() >= limits_.sessions_max) return std::nullopt;
  return ready_.begin()->first.first;
}

std::optional<SteadyTime> DueQueue::due_of(const std::string& account) const {
  const auto found = waiting_.find(account);
  if (found == waiting_.end()) return std::nullopt;
  return found->second.turn.first;
}

// Puts the host into ready_ under its first account, or takes it out while it is at its limit or has nothing to do.
void DueQueue::refresh(Hosts::iterator host) {
  Host& it = host->second;
  std::optional<Turn> turn;
  if (!it.waiting.empty() && it.running < limits_.sessions_per_host_max) turn = it.waiting.begin()->first;
  if (turn == it.ready) return;
  if (it.ready) ready_.erase(*it.ready);
  if (turn) ready_.emplace(*turn, host);
  it.ready = turn;
}

}  // namespace popsync::schedule
