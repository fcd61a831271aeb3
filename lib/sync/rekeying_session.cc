// SPDX-License-Identifier: MIT
#include "sync/rekeying_session.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "delivery/line_ending.h"
#include "delivery/message_prints.h"
#include "state/transaction.h"

namespace popsync::sync {
namespace {

// Takes the headers of messages as they come; keeps their hashes only.
class HeaderSink : public net::RetrievalSink {
 public:
  explicit HeaderSink(std::vector<ListedHeader>& headers, std::size_t first) : headers_(headers), first_(first) {}

  void begin(std::size_t /*index*/) override {
    printer_ = {};
    line_ends_ = {};
    tail_ = "\n";
    whole_ = false;
  }
  void body(std::size_t /*index*/, std::string_view octets) override {
    text_.clear();
    line_ends_.convert(octets, text_);
    printer_.update(text_);
    tail_ += text_;
    whole_ = whole_ || tail_.find("\n\n") != std::string::npos;
    tail_.erase(0, tail_.size() - std::min<std::size_t>(tail_.size(), 1));
  }
  // Without the empty line behind it a header may have been cut: some servers give ten lines whatever is asked for.
  void complete(std::size_t index) override {
    const delivery::Prints prints = printer_.finish();
    if (!whole_) return;
    headers_[first_ + index].header_hash = prints.header_hash;
    headers_[first_ + index].has_message_id = prints.has_message_id;
  }
  void proven(std::size_t /*index*/) override {}
  void refused(std::size_t /*index*/, const pop3::StatusLine& /*line*/) override {}

 private:
  std::vector<ListedHeader>& headers_;
  std::size_t first_;
  delivery::MessagePrinter printer_;
  delivery::CrlfToLf line_ends_;
  std::string text_;
  std::string tail_;  // the octet before what comes next
  bool whole_ = false;
};

void ask(const RekeyingContext& context, net::Marker marker, std::span<const pop3::ListingEntry> unknown, std::size_t count,
         std::vector<ListedHeader>& headers) {
  const std::size_t first = headers.size();
  const auto entries = unknown.subspan(first, std::min(count, unknown.size() - first));
  if (entries.empty()) return;
  for (const pop3::ListingEntry& entry : entries) headers.push_back({.entry = entry, .header_hash = {}, .has_message_id = false});
  HeaderSink sink(headers, first);
  const net::Sending sending = context.client.pipelining() ? net::Sending::ahead : net::Sending::one_at_a_time;
  try {
    net::retrieve(context.client.connection(), entries, marker, sending, sink, net::Part::header);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::desynchronised) {
      context.account.top_fails = true;
      log_warning(context.account.name, "the server's answers to TOP fall out of step; it is not asked for headers any more");
    }
    throw;
  }
}

void add_header_prints(state::StateStore& store, const std::string& account, std::vector<UnlistedRow>& unlisted) {
  std::unordered_map<state::RowId, state::HeaderPrint> prints;
  for (state::HeaderPrint& print : store.header_prints(account)) prints.emplace(print.row, std::move(print));
  for (UnlistedRow& row : unlisted) {
    const auto found = prints.find(row.row);
    if (found != prints.end()) row.header_hash = found->second.header_hash;
  }
}

[[noreturn]] void hold(const std::string& account, std::size_t unknown) {
  throw Error(
      ErrorCode::server_permanent,
      "nearly every message has a new unique-id, the sizes are those of the messages fetched before, and the server gives no headers to tell (" +
          counted(unknown, "message") + "): nothing is fetched, because all of it might be here already",
      "if the server is being moved, wait for its end; else run `popsync seed " + account +
          "` to take what is there now for known, or `popsync refetch " + account + " --all` to fetch all of it again");
}

bool no_header(const ListedHeader& header) { return header.header_hash.empty(); }

// Empty: new mail.
std::vector<Rekeying> recognise(const RekeyingContext& context, Mismatch& mismatch, bool following) {
  add_header_prints(context.store, context.account.id, mismatch.unlisted);
  const bool comparable = std::ranges::any_of(mismatch.unlisted, [](const UnlistedRow& row) { return !row.header_hash.empty(); });
  std::vector<ListedHeader> headers;
  if (comparable && !context.account.top_fails) {
    if (context.account.marker == "uidl" || context.account.marker == "list") context.account.marker.clear();  // it may be another server now
    const net::Marker marker = context.learn_marker(mismatch.unknown.front());
    ask(context, marker, mismatch.unknown, kProbes, headers);
    if (!std::ranges::all_of(headers, no_header)) {
      if (!worth_asking_for_all(headers, mismatch.unlisted)) return {};
      ask(context, marker, mismatch.unknown, mismatch.unknown.size(), headers);
      auto found = match(headers, mismatch.unlisted, following);
      if (!found.empty()) return found;
      std::erase_if(mismatch.unlisted, [](const UnlistedRow& row) { return !row.header_hash.empty(); });
    }
  }
  if (mismatch.whole_listing && context.policy.sizes_mean_something && sizes_look_alike(mismatch.unknown, mismatch.unlisted)) {
    hold(context.account.name, mismatch.unknown.size());
  }
  return {};
}

void record(const RekeyingContext& context, std::span<const Rekeying> rekeyings) {
  std::size_t resized = 0;
  auto transaction = context.store.begin();
  for (const Rekeying& rekeying : rekeyings) {
    transaction.rekey_message(rekeying.row, rekeying.uid, rekeying.list_size);
    if (rekeying.same_size || !context.policy.sizes_mean_something) continue;
    // Only the header was compared: what may be deleted must have been seen whole.
    transaction.set_removable(rekeying.row, false);
    ++resized;
  }
  transaction.commit();
  log_warning(context.account.name,
              "the server has given its messages new unique-ids; " + counted(rekeyings.size(), "message") +
                  " recognised by header and not fetched again" +
                  (resized > 0 ? ", " + std::to_string(resized) + " of them with another size and therefore never deleted on the server" : ""));
}

}  // namespace

std::vector<Rekeying> find_rekeyings(const RekeyingContext& context, std::span<const pop3::ListingEntry> listing,
                                     std::span<const state::MessageRow> rows) {
  const bool following = context.account.rekeyings > 0;
  Mismatch mismatch = compare(listing, rows, context.policy, following);
  std::vector<Rekeying> found;
  if (mismatch.suspicious) found = recognise(context, mismatch, following);
  context.account.rekeyings = count_rekeyings(context.account.rekeyings, mismatch, !found.empty());
  return found;
}

bool follow_new_unique_ids(const RekeyingContext& context, std::span<const pop3::ListingEntry> listing, std::span<const state::MessageRow> rows) {
  const auto found = find_rekeyings(context, listing, rows);
  if (!found.empty()) record(context, found);
  return !found.empty();
}

void apply_rekeyings(std::span<const Rekeying> rekeyings, std::vector<state::MessageRow>& rows) {
  std::unordered_map<state::RowId, const Rekeying*> by_row;
  for (const Rekeying& rekeying : rekeyings) by_row.emplace(rekeying.row, &rekeying);
  for (state::MessageRow& row : rows) {
    const auto found = by_row.find(row.id);
    if (found == by_row.end()) continue;
    row.uid = found->second->uid;
    row.list_size = found->second->list_size;
    row.removable = row.removable && found->second->same_size;
  }
}

void refuse_restless_unique_ids(const state::AccountRow& account) {
  if (account.rekeyings < kRekeyingsMax) return;
  throw Error(ErrorCode::server_permanent,
              "the server gave all its messages new unique-ids in " + std::to_string(account.rekeyings) +
                  " sessions in a row; they were recognised by their headers, which costs a look at each of them",
              "set leave_on_server = false for this account, or ask the provider why unique-ids do not last");
}

}  // namespace popsync::sync
