// SPDX-License-Identifier: MIT
// The accounts that wait, ordered by due time, under two limits: sessions at once in all, and for each host. PURE: time is a number. Every operation
// is O(log n): the waiting accounts are kept by host, and only hosts below their limit stand in the order that pop() looks at, so the ten thousand
// accounts of one busy provider are not looked through again and again. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock.h"

namespace popsync::schedule {

struct Limits {
  std::size_t sessions_max = 32;
  std::size_t sessions_per_host_max = 4;
  bool operator==(const Limits&) const = default;
};

class DueQueue {
 public:
  explicit DueQueue(Limits limits);

  // From now on; what runs above a lowered limit runs on.
  void set_limits(Limits limits);
  // The account waits until `due`, whether or not it waited before. It must not be running.
  void put(const std::string& account, const std::string& host, SteadyTime due);
  // The account no longer waits (no effect if it did not).
  void remove(const std::string& account);
  // Takes the longest-due account that may start at `now`: it runs from then on. Empty if there is none.
  std::optional<std::string> pop(SteadyTime now);
  // A running account has ended; it is neither waiting nor running.
  void finish(const std::string& account);
  // A running account goes on, but counts against no limit until it is taken back: it hangs, and keeps nobody else waiting.
  void set_aside(const std::string& account);
  void take_back(const std::string& account);
  // The earliest time at which pop() may find something if nothing else happens. Empty: never before a finish() or put().
  [[nodiscard]] std::optional<SteadyTime> next_due() const;

  [[nodiscard]] std::optional<SteadyTime> due_of(const std::string& account) const;
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  // Those set aside left out.
  [[nodiscard]] std::size_t running() const { return running_.size(); }

 private:
  // The sequence number keeps accounts with one due time in the order in which they were put.
  using Turn = std::pair<SteadyTime, std::uint64_t>;
  struct Host {
    std::map<Turn, std::string> waiting;
    std::size_t running = 0;
    std::optional<Turn> ready;  // its entry in ready_
  };
  using Hosts = std::map<std::string, Host>;
  struct Place {
    Hosts::iterator host;
    Turn turn;
  };

  void refresh(Hosts::iterator host);

  Limits limits_;
  std::uint64_t sequence_ = 0;
  Hosts hosts_;  // those with something waiting or running
  std::unordered_map<std::string, Place> waiting_;
  std::unordered_map<std::string, Hosts::iterator> running_;
  std::unordered_map<std::string, std::string> aside_;  // their hosts
  std::map<Turn, Hosts::iterator> ready_;               // by their first account: hosts below their limit with something waiting
};

}  // namespace popsync::schedule
