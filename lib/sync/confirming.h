// SPDX-License-Identifier: MIT
// The part of a session that recognises listed messages again before more is believed of them: those in doubt, and those that are to be deleted. The
// header of `TOP n 0` is proof if its hash is the stored one and it holds a Message-ID. Every other answer proves nothing: the message is retrieved
// and compared, and delivered if it is another one. It comes when all new mail of the session is published, and it is bounded, so that neither an
// outage nor a large deletion keeps mail waiting or a session from its QUIT; the next session goes on. One thread, with the account's lock held.
//
// Killed anywhere, nothing is lost: a row leaves doubt only in a commit behind its proof, and a message that proved to be another one is published
// before its row is touched.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include "base/clock.h"
#include "net/pop3_client.h"
#include "net/retrieval.h"
#include "state/state_store.h"
#include "sync/deletion.h"
#include "sync/fetch_plan.h"
#include "sync/rekeying.h"
#include "sync/session_records.h"

namespace popsync::sync {

// What a session confirms at most. A server that cuts sessions after some minutes must see QUIT before, or nothing would ever be deleted there.
struct ConfirmLimits {
  std::size_t messages = 1000;
  std::uint64_t octets = 64ULL << 20U;  // listed, of what is retrieved
  std::chrono::seconds time = std::chrono::minutes(2);
};
// So many are asked for together. What TOP did not confirm of them is retrieved before the next ones are asked for: to some servers TOP is reading,
// so nothing may stay behind that was read and is not here.
constexpr std::size_t kConfirmGroup = 16;

class Confirming {
 public:
  struct Context {
    net::Pop3Client& client;
    state::StateStore& store;
    const Clock& clock;
    state::AccountRow& account;  // what is seen of TOP is noted in it
    SessionRecords& records;
    Deletion& deletion;                                                  // gets what may be deleted
    std::function<net::Marker(const pop3::ListingEntry&)> learn_marker;  // by asking for this entry, if it is not known
    // RETR, compare, publish what is new, record. Throws what the session throws.
    std::function<Compared(std::span<const Fetch>)> retrieve;
    ConfirmLimits limits;
  };
  // Everything in `context` must outlive it.
  explicit Confirming(Context context) : context_(std::move(context)), start_(context_.clock.steady()) {}

  // Throws what the connection and the state throw. What was confirmed by then stays confirmed.
  void run(const FetchPlan& plan);
  // Messages that wait for the next session.
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  using Group = std::vector<const Confirmation*>;

  Group next_group(std::span<const Confirmation> waiting, std::size_t& taken);
  void confirm(const Group& group);
  std::vector<const Confirmation*> ask(const Group& group);
  std::vector<ListedHeader> headers_of(const Group& asked);
  void compare(const std::vector<const Confirmation*>& unproven);
  void conclude(const FetchPlan& plan);
  [[nodiscard]] bool by_top(const Confirmation& each) const;
  [[nodiscard]] bool in_time() const { return context_.clock.steady() - start_ < context_.limits.time; }

  Context context_;
  SteadyTime start_;
  std::size_t messages_ = 0;  // looked at
  std::uint64_t octets_ = 0;  // retrieved within the limit
  std::size_t left_ = 0;
  bool refused_ = false;  // the server has no TOP for us
  bool asked_ = false;
  std::set<state::RowId> unlike_;  // TOP gave a header with another hash
  std::set<state::RowId> agreed_;
  bool differs_ = false;  // a message of the sample is another one
};

}  // namespace popsync::sync
