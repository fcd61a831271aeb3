// SPDX-License-Identifier: MIT
#include "sync/message_intake.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "delivery/maildir_name.h"

namespace popsync::sync {

namespace {

// A held row stands for no message that could be recognised.
state::RowId expected_row(const Fetch& fetch) {
  const bool is_candidate = std::ranges::count(fetch.candidates, fetch.tried_row, &Candidate::row) > 0;
  return is_candidate ? fetch.tried_row : 0;
}

}  // namespace

MessageIntake::MessageIntake(Context context, std::span<const Fetch> fetches)
    : context_(std::move(context)), install_key_(context_.store.install_key()), fetches_(fetches), complete_(fetches.size()) {
  progress_.messages_total = fetches.size();
  for (const Fetch& fetch : fetches) progress_.octets_total += fetch.entry.list_size.value_or(0);
  tell(Progress::Phase::retrieving);
}

void MessageIntake::begin(std::size_t index) {
  const pop3::ListingEntry& entry = fetches_[index].entry;
  context_.space.expect(context_.mailstore, entry.list_size.value_or(0));
  const std::string token = delivery::make_token(install_key_, context_.account.id, entry.uid.octets, entry.list_size);
  delivery::StagingFolder& staging = context_.mailstore.staging();
  open_ = context_.mailstore.mbox ? staging.begin_entry(delivery::make_marker(token), context_.clock.wall())
                                  : staging.begin(delivery::make_name(context_.clock, token));
}

void MessageIntake::body(std::size_t index, std::string_view octets) {
  write_to_file(index, [&] { open_->write(octets); });
  progress_.octets_done += octets.size();
  if (open_->wire_octets() > context_.max_message_size) refuse_oversized(index, "is larger than listed and than max_message_size");
  tell(Progress::Phase::retrieving);
}

// A limit on the size of files strikes this message alone, unless hardly any would fit.
template <typename Work>
void MessageIntake::write_to_file(std::size_t index, Work&& work) {
  try {
    work();
  } catch (const FileTooLarge& error) {
    if (file_size_limit().value_or(kSmallFileOctets) < kSmallFileOctets) throw;
    oversized_reason_ = error.what();
    refuse_oversized(index, "does not fit into a file here: " + error.message());
  }
}

void MessageIntake::refuse_oversized(std::size_t index, const std::string& why) {
  oversized_ = &fetches_[index];
  throw Error(ErrorCode::server_temporary, "message " + pop3::to_text(oversized_->entry.uid, oversized_->occurrence) + " " + why,
              "it is held from now on; the others are fetched in the next session");
}

void MessageIntake::complete(std::size_t index) {
  refusals_.insert(refusals_.end(), refused_since_.begin(), refused_since_.end());
  refused_since_.clear();
  refusing_ = false;
  given_ = true;
  write_to_file(index, [this] { open_->finish(); });
  open_->start_sync(context_.pool);
  complete_[index] = std::move(open_);
  answered_ = index + 1;
}

void MessageIntake::proven(std::size_t index) {
  const Fetch& fetch = fetches_[index];
  in_step_ = index + 1;
  auto message = std::move(complete_[index]);
  ++progress_.messages_done;
  if (!fetch.candidates.empty() || !context_.unique_ids) {
    const Identification found = identify(message->prints(), known_prints(fetch, message->prints().sha256));
    if (found.verdict != Verdict::other) {
      settled_.push_back({.identification = found,
                          .entry = fetch.entry,
                          .remove = fetch.remove_if_equal && found.verdict == Verdict::equal && found.row->removable,
                          .gave_up = fetch.gave_up_deleting,
                          .tried = fetch.tried_row == found.row->row && fetch.tries > 0,
                          .expected = expected_row(fetch),
                          .replaces = fetch.replaces});
      return;
    }
    if (const state::RowId expected = expected_row(fetch); expected != 0) others_.push_back(expected);
  }
  const bool suspect = message->wire_octets() * 100 < fetch.entry.list_size.value_or(0) * kSuspectPercent;
  if (suspect && context_.warnings.admits(MessageTrouble::shorter)) {
    log_warning(context_.account.name, "message " + pop3::to_text(fetch.entry.uid, fetch.occurrence) + " has " +
                                           std::to_string(message->wire_octets()) + " octets where the server listed " +
                                           std::to_string(*fetch.entry.list_size) + "; it is stored and stays on the server");
  }
  if (batch_.empty()) batch_since_ = context_.clock.steady();
  batch_octets_ += message->prints().stored_size;
  batch_.push_back({.message = std::move(message), .listed = fetch.entry, .suspect = suspect, .replaces = fetch.replaces});
  const BatchLimits& limits = context_.batch;
  const bool full = batch_.size() >= limits.messages || batch_octets_ >= limits.octets || context_.clock.steady() - batch_since_ >= limits.age;
  if (full) flush();
}

void MessageIntake::refused(std::size_t index, const pop3::StatusLine& line) {
  ++progress_.messages_done;
  if (in_step_ == index) in_step_ = index + 1;
  answered_ = index + 1;
  (refusing_ ? refused_since_ : refusals_).push_back({.fetch = &fetches_[index], .reason = "the server refuses it: " + pop3::quoted(line)});
  refusing_ = true;
}

std::span<const Refused> MessageIntake::refusals() const {
  const bool says_nothing = !given_ && refused() > 1 && !refusals_.front().fetch->apart;
  return says_nothing ? std::span<const Refused>() : refusals_;
}

// Two messages behind one unique-id may have been taken for each other: a row that any of them turned out to be is not replaced.
Compared MessageIntake::compared() const {
  Compared compared;
  compared.replaced.insert(others_.begin(), others_.end());
  for (const Settled& each : settled_) {
    if (each.expected != 0 && each.expected != each.identification.row->row) compared.replaced.insert(each.expected);
  }
  for (const Settled& each : settled_) {
    const state::RowId row = each.identification.row->row;
    (each.identification.verdict == Verdict::equal ? compared.equal : compared.changed).insert(row);
    compared.replaced.erase(row);
  }
  return compared;
}

void MessageIntake::flush() {
  if (batch_.empty()) return;
  batch_octets_ = 0;
  context_.publisher.submit(std::exchange(batch_, {}));
}

std::vector<KnownPrints> MessageIntake::known_prints(const Fetch& fetch, const std::string& sha256) {
  std::vector<KnownPrints> known;
  std::vector<Candidate> candidates = fetch.candidates;
  if (!context_.unique_ids) {
    if (const auto row = context_.store.find_by_sha256(context_.account.id, sha256))
      candidates.push_back(
          {.row = row->id, .has_prints = true, .free = true, .removable = row->removable && row->deletions < kDeletionsMax, .size_differs = false});
  }
  for (const Candidate& candidate : candidates) {
    if (!candidate.has_prints) continue;
    if (auto prints = context_.store.prints(candidate.row)) known.push_back({.candidate = candidate, .prints = std::move(*prints)});
  }
  return known;
}

void MessageIntake::tell(Progress::Phase phase) {
  if (!context_.progress) return;
  progress_.phase = phase;
  context_.progress(progress_);
}

}  // namespace popsync::sync
