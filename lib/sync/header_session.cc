// SPDX-License-Identifier: MIT
#include "sync/header_session.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "delivery/line_ending.h"
#include "delivery/message_prints.h"

namespace popsync::sync {
namespace {

// Takes the headers of messages as they come; keeps their hashes only.
class HeaderSink : public net::RetrievalSink {
 public:
  explicit HeaderSink(std::vector<ListedHeader>& headers, std::size_t first) : headers_(headers), first_(first) {}

  void begin(std::size_t /*index*/) override {
    printer_ = {};
    line_ends_ = {};
    tail_.assign(1, '\n');
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

}  // namespace

void ask_for_headers(net::Pop3Client& client, state::AccountRow& account, net::Marker marker, std::span<const pop3::ListingEntry> unknown,
                     std::size_t count, std::vector<ListedHeader>& headers) {
  const std::size_t first = headers.size();
  const auto entries = unknown.subspan(first, std::min(count, unknown.size() - first));
  if (entries.empty()) return;
  for (const pop3::ListingEntry& entry : entries) headers.push_back({.entry = entry, .header_hash = {}, .has_message_id = false});
  HeaderSink sink(headers, first);
  const net::Sending sending = client.pipelining() ? net::Sending::ahead : net::Sending::one_at_a_time;
  try {
    net::retrieve(client.connection(), entries, marker, sending, sink, net::Part::header);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::desynchronised) {
      account.top_fails = true;
      log_warning(account.name, "the server's answers to TOP fall out of step; it is not asked for headers any more");
    }
    throw;
  }
}

}  // namespace popsync::sync
