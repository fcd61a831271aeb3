// SPDX-License-Identifier: MIT
#include "sync/header_session.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "delivery/line_ending.h"
#include "delivery/message_prints.h"
#include "sync/top_use.h"

namespace popsync::sync {
namespace {

// Takes the headers of messages as they come; keeps their hashes only.
class HeaderSink : public net::RetrievalSink {
 public:
  HeaderSink(std::vector<ListedHeader>& headers, std::size_t first) : headers_(headers), first_(first) {}

  void begin(std::size_t /*index*/) override {
    printer_ = {};
    line_ends_ = {};
    tail_.assign(1, '\n');
    whole_ = false;
    open_ = true;
  }
  void body(std::size_t index, std::string_view octets) override {
    text_.clear();
    line_ends_.convert(octets, text_);
    printer_.update(text_);
    if (whole_) {
      headers_[first_ + index].body_octets += text_.size();
      return;
    }
    tail_ += text_;
    const std::size_t end = tail_.find("\n\n");
    whole_ = end != std::string::npos;
    if (whole_) headers_[first_ + index].body_octets = tail_.size() - end - 2;
    tail_.erase(0, tail_.size() - std::min<std::size_t>(tail_.size(), 1));
  }
  // Without the empty line behind it a header may have been cut: some servers give ten lines whatever is asked for.
  void complete(std::size_t index) override {
    answered_ = index + 1;
    open_ = false;
    const delivery::Prints prints = printer_.finish();
    if (!whole_) return;
    headers_[first_ + index].header_hash = prints.header_hash;
    headers_[first_ + index].has_message_id = prints.has_message_id;
  }
  void proven(std::size_t index) override { in_step_ = index + 1; }
  void refused(std::size_t index, const pop3::StatusLine& /*line*/) override {
    if (in_step_ == index) in_step_ = index + 1;
    answered_ = index + 1;
    headers_[first_ + index].refused = true;
  }

  // The one over which the session ended: the one under way; the last one answered, if its marker is missing; else the one that was to come.
  [[nodiscard]] std::size_t suspect(bool marker_missing) const {
    return first_ + (open_ || !marker_missing ? answered_ : std::max(in_step_, answered_ == 0 ? 0 : answered_ - 1));
  }

 private:
  std::vector<ListedHeader>& headers_;
  std::size_t first_;
  delivery::MessagePrinter printer_;
  delivery::CrlfToLf line_ends_;
  std::string text_;
  std::string tail_;  // the octet before what comes next
  bool whole_ = false;
  bool open_ = false;
  std::size_t answered_ = 0;
  std::size_t in_step_ = 0;
};

void note_failure(const HeaderQuestion& question, const Error& error) {
  if (error.code() == ErrorCode::desynchronised) {
    note_top_out_of_step(question.account, question.now);
  } else if (error.code() != ErrorCode::interrupted) {
    note_top_break(question.account, question.now);
  }
}

}  // namespace

bool is_header_of(const ListedHeader& header, const state::StoredPrints& prints) {
  return prints.has_message_id && header.has_message_id && header.header_hash == prints.header_hash;
}

void ask_for_headers(const HeaderQuestion& question, std::span<const pop3::ListingEntry> listed, std::size_t count,
                     std::vector<ListedHeader>& headers, std::optional<std::size_t>* suspect) {
  const std::size_t first = headers.size();
  const auto entries = listed.subspan(first, std::min(count, listed.size() - first));
  if (entries.empty()) return;
  for (const pop3::ListingEntry& entry : entries) headers.push_back({.entry = entry, .header_hash = {}, .has_message_id = false});
  HeaderSink sink(headers, first);
  const net::Sending sending = question.client.pipelining() ? net::Sending::ahead : net::Sending::one_at_a_time;
  try {
    net::retrieve(question.client.connection(), entries, question.marker, sending, sink, net::Part::header);
  } catch (const Error& error) {
    note_failure(question, error);
    const std::size_t blamed = sink.suspect(sending == net::Sending::ahead || error.code() == ErrorCode::desynchronised);
    if (suspect != nullptr && error.code() != ErrorCode::interrupted && blamed < listed.size()) *suspect = blamed;
    throw;
  }
  const auto asked = std::span(headers).subspan(first);
  if (std::ranges::any_of(asked, [](const ListedHeader& header) { return header.body_octets > kTopBodyOctetsMax; })) {
    note_top_whole_body(question.account, question.now);
  }
}

}  // namespace popsync::sync
