// SPDX-License-Identifier: MIT
// Takes messages as they come over the wire: stages each, begins its sync when it is complete, and when its marker has proved the stream in step
// gives it to the publisher in batches, or, where the listing left its identity in doubt, settles that by content.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "delivery/sync_pool.h"
#include "net/retrieval.h"
#include "sync/fetch_plan.h"
#include "sync/free_space.h"
#include "sync/identity.h"
#include "sync/message_warnings.h"
#include "sync/publisher.h"
#include "sync/sync_report.h"

namespace popsync::sync {

// A batch is closed at whichever comes first. Large enough that two commits and three directory syncs vanish among the files, small enough that a
// crash costs little.
struct BatchLimits {
  std::size_t messages = 512;
  std::uint64_t octets = 16ULL << 20U;
  std::chrono::seconds age{2};
};
// Below this share of list_size a message is kept on the server: attachments were lost on the way (LIST sizes are estimates on many servers).
constexpr std::uint64_t kSuspectPercent = 80;

// A retrieved message that turned out to be one we have.
struct Settled {
  Identification identification;
  pop3::ListingEntry entry;
  bool remove = false;                      // its deletion is due and its content was seen
  bool gave_up = false;                     // its deletion did not last, too often
  bool tried = false;                       // failures were counted on its row
  state::RowId expected = 0;                // the row that was to be recognised; 0: none
  std::vector<state::RowId> replaces = {};  // held rows that stood for it
};

// What became of messages that were retrieved because a row had to be recognised: rows, each in one of the sets at most.
struct Compared {
  std::set<state::RowId> equal;
  std::set<state::RowId> changed;   // the same message, with other octets
  std::set<state::RowId> replaced;  // what is listed in the place of its message is another one
};

// A message that the server would not give, or behind which the stream fell out of step.
struct Refused {
  const Fetch* fetch = nullptr;
  std::string reason;  // escaped
};

class MessageIntake : public net::RetrievalSink {
 public:
  struct Context {
    state::StateStore& store;
    const Clock& clock;
    const state::AccountRow& account;
    OpenMailstore& mailstore;
    delivery::SyncPool& pool;
    Publisher& publisher;
    BatchLimits batch;
    FreeSpace& space;
    MessageWarnings& warnings;
    std::uint64_t max_message_size;
    bool unique_ids;
    ProgressFunction progress;
  };
  // `fetches` and everything in `context` must outlive the intake; `fetches[i]` is the message with index i.
  MessageIntake(Context context, std::span<const Fetch> fetches);

  void begin(std::size_t index) override;
  void body(std::size_t index, std::string_view octets) override;
  void complete(std::size_t index) override;
  void proven(std::size_t index) override;
  void refused(std::size_t index, const pop3::StatusLine& line) override;

  // Gives the publisher what is proven and not yet given.
  void flush();

  [[nodiscard]] const std::vector<Settled>& settled() const { return settled_; }
  [[nodiscard]] Compared compared() const;
  // Those that count as a try. A server that allows so many messages in a session, or a day, refuses all others alike: of refusals up to the end of
  // the session only the first counts, and where nothing was given and several were refused, none does (but for messages that were refused before).
  [[nodiscard]] std::span<const Refused> refusals() const;
  [[nodiscard]] std::size_t refused() const { return refusals_.size() + refused_since_.size(); }
  // The one to suspect when the stream fell out of step or the server fell silent: the message that came last, if it is not proven, else the one that
  // was to come.
  [[nodiscard]] const Fetch* suspect() const {
    const std::size_t index = open_ ? answered_ : std::max(in_step_, answered_ == 0 ? 0 : answered_ - 1);
    return index < fetches_.size() ? &fetches_[index] : nullptr;
  }
  // The one that had begun and did not end; null between two messages, where a server that hangs up has its own reasons (a quota, a restart).
  [[nodiscard]] const Fetch* under_way() const { return open_ ? &fetches_[answered_] : nullptr; }
  // A message that grew over the limit though it was listed smaller, or over what a file here may be; the session has failed because of it.
  [[nodiscard]] const Fetch* oversized() const { return oversized_; }
  // Empty for the limit of the account.
  [[nodiscard]] const std::string& oversized_reason() const { return oversized_reason_; }

 private:
  [[nodiscard]] std::vector<KnownPrints> known_prints(const Fetch& fetch, const std::string& sha256);
  void tell(Progress::Phase phase);
  template <typename Work>
  void write_to_file(std::size_t index, Work&& work);
  [[noreturn]] void refuse_oversized(std::size_t index, const std::string& why);

  Context context_;
  HmacSha256 install_key_;  // for the tokens in file names
  std::span<const Fetch> fetches_;
  std::unique_ptr<delivery::StagedMessage> open_;
  std::vector<std::unique_ptr<delivery::StagedMessage>> complete_;  // by index; empty when not complete or given on
  Batch batch_;
  std::uint64_t batch_octets_ = 0;
  SteadyTime batch_since_{};
  std::vector<Settled> settled_;
  std::vector<state::RowId> others_;  // rows that were expected where another message came
  std::vector<Refused> refusals_;
  std::vector<Refused> refused_since_;  // behind the last in refusals_, and no message came since
  bool refusing_ = false;               // the last answer was a refusal
  bool given_ = false;                  // a message came
  std::size_t answered_ = 0;            // complete or refused
  std::size_t in_step_ = 0;             // answers come in order
  const Fetch* oversized_ = nullptr;
  std::string oversized_reason_;
  Progress progress_;
};

}  // namespace popsync::sync
