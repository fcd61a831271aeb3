// SPDX-License-Identifier: MIT
// Which sessions hang in a file system that does not answer, and which accounts must not start meanwhile. A thread that a dead network mount holds in
// the kernel cannot be freed. So a session that waits for kHangsAfter is set aside and counts against no limit; so many at most as there may be
// sessions, the rest goes on counting. While one hangs, no other account starts on its disk.
//
// It knows no file system: it takes functions. Not thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/watched_fs.h"
#include "schedule/due_queue.h"

namespace popsync::schedule {

// Asked by the scheduler's own thread: they must neither wait nor touch a file system.
struct DiskWatch {
  // Since when the account's session waits for the file system; empty if it does not.
  std::function<std::optional<SteadyTime>(const std::string& account)> waits_since = [](const std::string&) { return std::nullopt; };
  std::function<DiskPlace(const std::string& account)> waits_at = [](const std::string&) { return DiskPlace(); };
  // Where the account's mailstore lies.
  std::function<DiskPlace(const std::string& account)> home_of = [](const std::string&) { return DiskPlace(); };
};

struct DiskTrouble {
  SteadyTime since;
  std::string path;  // where it does not answer, or what lies there
  std::string disk;  // empty if it cannot be told
  bool operator==(const DiskTrouble&) const = default;
};

class DiskGate {
 public:
  explicit DiskGate(DiskWatch watch) : watch_(std::move(watch)) {}

  // A session of the account has begun, on a thread of its own; it has ended.
  void begin(const std::string& account, SteadyTime now);
  void end(const std::string& account);
  // The account is no longer known; it has no session.
  void forget(const std::string& account);

  // Looks at all sessions and sets aside in `queue` what hangs, `hanging_max` at most. Returns accounts that were kept back and may start again.
  std::vector<std::string> look(SteadyTime now, DueQueue& queue, std::size_t hanging_max);
  // When the next look may find something if nothing else happens; empty: never.
  [[nodiscard]] std::optional<SteadyTime> next_look() const { return next_look_; }
  // May a session of the account begin? If not, the account is kept back until look() gives it back.
  bool admits(const std::string& account, std::size_t hanging_max);

  [[nodiscard]] bool hangs(const std::string& account) const;
  // It waits for the file system now, since a moment perhaps.
  [[nodiscard]] bool waits(const std::string& account) const { return watch_.waits_since(account).has_value(); }
  // Of a session that hangs and of an account that is kept back.
  [[nodiscard]] std::optional<DiskTrouble> trouble_of(const std::string& account) const;
  // Accounts whose trouble has begun, changed or ended since the last call.
  std::set<std::string> take_changes() { return std::exchange(changed_, {}); }

 private:
  struct Session {
    std::optional<DiskTrouble> trouble;
    bool aside = false;
  };
  void look_at(const std::string& account, Session& session, SteadyTime now, DueQueue& queue);
  void set_aside(DueQueue& queue, std::size_t hanging_max);
  void note_dead_disks();
  struct Verdict {
    bool admitted = true;
    bool as_scout = false;
    std::optional<DiskTrouble> trouble = {};  // why not, if that is known
  };
  [[nodiscard]] Verdict judge(const std::string& account, std::size_t hanging_max) const;
  std::vector<std::string> release(std::size_t hanging_max);

  const DiskWatch watch_;
  std::map<std::string, Session> sessions_;
  std::size_t hanging_ = 0;
  std::map<std::string, SteadyTime> dead_;                  // disks, and since when
  std::map<std::string, std::optional<DiskTrouble>> kept_;  // accounts kept back
  std::set<std::string> proven_;                            // accounts that had a session which ended
  std::string scout_;                                       // an account of which it is not known where it leads, running while as many hang as may
  bool scout_back_ = false;
  std::set<std::string> changed_;
  std::optional<SteadyTime> next_look_;
  SteadyTime review_at_;  // when those kept back are looked at again, whatever happens
};

}  // namespace popsync::schedule
