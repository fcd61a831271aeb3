// SPDX-License-Identifier: MIT
// Messages to be deleted on the server: DELE marks them, QUIT makes it so (RFC 1939 sections 5 and 6). Given only rows whose PUBLISHED is committed,
// or that were compared with what the server gave in this session. Killed anywhere, a message is either still on the server, or recorded as one that
// our DELE may have taken. Throws what the client and the records throw.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "net/pop3_client.h"
#include "sync/fetch_plan.h"
#include "sync/session_records.h"

namespace popsync::sync {

class Deletion {
 public:
  // `records` must outlive it.
  Deletion(SessionRecords& records, std::string account) : records_(records), account_(std::move(account)) {}

  void add(const Removal& due) { removals_.push_back(due); }
  void add(std::span<const Removal> due) { removals_.insert(removals_.end(), due.begin(), due.end()); }
  // DELE for each. What is answered -ERR is let go: gone already, or never there; the next listing decides.
  void mark(net::Pop3Client& client);
  // QUIT, the commit point; its answer is awaited for what was marked, or if `await_reply`.
  void commit(net::Pop3Client& client, bool await_reply);

  [[nodiscard]] const std::vector<Removal>& removals() const { return removals_; }
  // False if one was refused, or the server did not confirm them.
  [[nodiscard]] bool certain() const { return certain_; }

 private:
  SessionRecords& records_;
  const std::string account_;
  std::vector<Removal> removals_;
  bool certain_ = true;
};

}  // namespace popsync::sync
