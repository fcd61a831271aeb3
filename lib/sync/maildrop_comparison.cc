// SPDX-License-Identifier: MIT
#include "sync/maildrop_comparison.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "delivery/line_ending.h"
#include "delivery/message_prints.h"
#include "net/retrieval.h"
#include "sync/header_session.h"
#include "sync/identity.h"
#include "sync/login_delay.h"
#include "sync/marker_memory.h"
#include "sync/plan_policy.h"
#include "sync/session_opening.h"
#include "sync/top_use.h"

namespace popsync::sync {
namespace {

using Looks = std::vector<const Confirmation*>;

std::vector<pop3::ListingEntry> listed(const Looks& looks) {
  std::vector<pop3::ListingEntry> entries;
  for (const Confirmation* each : looks) entries.push_back(each->fetch.entry);
  return entries;
}

// Keeps the prints of messages as they come, and no octet of them.
class PrintingSink : public net::RetrievalSink {
 public:
  explicit PrintingSink(std::size_t count) : prints_(count) {}

  void begin(std::size_t /*index*/) override {
    printer_ = {};
    line_ends_ = {};
  }
  void body(std::size_t /*index*/, std::string_view octets) override {
    text_.clear();
    line_ends_.convert(octets, text_);
    printer_.update(text_);
  }
  void complete(std::size_t index) override {
    text_.clear();
    line_ends_.finish(text_);
    printer_.update(text_);
    prints_[index] = printer_.finish();
  }
  void proven(std::size_t /*index*/) override {}  // whatever is not ends the session
  void refused(std::size_t /*index*/, const pop3::StatusLine& /*line*/) override {}

  // Empty for what the server refused.
  [[nodiscard]] const std::optional<delivery::Prints>& of(std::size_t index) const { return prints_[index]; }

 private:
  std::vector<std::optional<delivery::Prints>> prints_;
  delivery::MessagePrinter printer_;
  delivery::CrlfToLf line_ends_;
  std::string text_;
};

class Comparing {
 public:
  Comparing(const SyncServices& services, const SyncRequest& request, state::AccountRow& account, bool by_top)
      : services_(services), request_(request), account_(account), by_top_(by_top), start_(services.clock.steady()) {}

  MaildropComparison run() {
    OpenSession session = open_session(request_.settings, request_.secret, services_.clock, request_.stop, request_.trace);
    client_ = session.client.get();
    note_login(account_, honoured_login_delay(client_->capabilities().login_delay.value_or(std::chrono::seconds(0))), services_.clock.wall());
    const net::MaildropListing listing = list_maildrop(*client_, request_.settings);
    const FetchPlan plan = plan_in_doubt(listing);
    count(listing, plan);
    look_at(plan);
    // To some servers QUIT makes reading final; what is somebody else's was not read.
    if (result_.other.empty()) close_session(*client_, request_.settings);
    return result_;
  }

  // The session has failed, and over a header.
  [[nodiscard]] bool ended_over_top() const { return asking_top_; }

 private:
  // With every row in doubt, and a maildrop that hides messages taken as any other: nothing is concluded from absence here.
  FetchPlan plan_in_doubt(const net::MaildropListing& listing) {
    auto rows = services_.store.messages(account_.id);
    for (state::MessageRow& row : rows) row.doubt = state::Doubt::outage;
    PlanPolicy policy = policy_for(request_.settings, account_, listing.unique_ids, {});
    policy.leave = {};
    policy.hides_messages = false;
    return plan_fetch(listing.entries, rows, policy);
  }

  void count(const net::MaildropListing& listing, const FetchPlan& plan) {
    const auto known = static_cast<std::uint64_t>(std::ranges::count_if(plan.fetch, &Fetch::known));
    result_.unique_ids = listing.unique_ids;
    result_.listed = listing.entries.size();
    result_.in_common = plan.confirm.size() + plan.vouched.size() + plan.known + known;
    result_.to_fetch = plan.fetch.size();
  }

  void look_at(const FetchPlan& plan) {
    Looks group;
    for (std::size_t i = 0; i < plan.confirm.size() && result_.other.empty() && in_time(); ++i) {
      if (fits(plan.confirm[i])) group.push_back(&plan.confirm[i]);
      if (group.size() == kConfirmGroup || i + 1 == plan.confirm.size()) compare(std::exchange(group, {}));
    }
  }

  [[nodiscard]] bool in_time() const { return result_.looked_at == 0 || services_.clock.steady() - start_ < services_.confirm.time; }

  [[nodiscard]] bool asks_top(const Confirmation& each) const {
    return by_top_ && each.by_top && !no_top_ && may_ask_top(account_, services_.clock.wall());
  }

  // One at least, however large it is.
  bool fits(const Confirmation& each) {
    if (asks_top(each)) return true;
    const std::uint64_t size = each.fetch.entry.list_size.value_or(0);
    if (octets_ > 0 && octets_ + size > services_.confirm.octets) return false;
    octets_ += size;
    return true;
  }

  void compare(const Looks& group) {
    result_.looked_at += group.size();
    Looks unproven;
    Looks asked;
    for (const Confirmation* each : group) (asks_top(*each) ? asked : unproven).push_back(each);
    if (!asked.empty()) compare_headers(asked, unproven);
    if (!unproven.empty()) compare_whole(std::move(unproven));
  }

  void compare_headers(const Looks& asked, Looks& unproven) {
    const auto entries = listed(asked);
    std::vector<ListedHeader> headers;
    const net::Marker marker = MarkerMemory(account_).learn(*client_, entries.front());
    asking_top_ = true;
    ask_for_headers({.client = *client_, .account = account_, .marker = marker, .now = services_.clock.wall()}, entries, entries.size(), headers);
    asking_top_ = false;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto prints = services_.store.prints(asked[i]->fetch.tried_row);
      if (prints && is_header_of(headers[i], *prints)) {
        ++result_.equal;
      } else {
        unproven.push_back(asked[i]);
      }
    }
    no_top_ = std::ranges::all_of(headers, &ListedHeader::refused);
  }

  void compare_whole(Looks looks) {
    std::ranges::sort(looks, {}, [](const Confirmation* each) { return each->fetch.entry.number.value; });
    const auto entries = listed(looks);
    PrintingSink sink(entries.size());
    const net::Marker marker = MarkerMemory(account_).learn(*client_, entries.front());
    const net::Sending sending = client_->pipelining() ? net::Sending::ahead : net::Sending::one_at_a_time;
    net::retrieve(client_->connection(), entries, marker, sending, sink);
    for (std::size_t i = 0; i < looks.size(); ++i) {
      if (const auto& prints = sink.of(i)) judge(looks[i]->fetch, *prints);
    }
  }

  void judge(const Fetch& fetch, const delivery::Prints& prints) {
    std::vector<KnownPrints> known;
    for (const Candidate& candidate : fetch.candidates) {
      if (!candidate.has_prints) continue;
      if (auto stored = services_.store.prints(candidate.row)) known.push_back({.candidate = candidate, .prints = std::move(*stored)});
    }
    if (identify(prints, known).verdict != Verdict::other) {
      ++result_.equal;
    } else if (result_.other.empty()) {
      result_.other = pop3::to_text(fetch.entry.uid, fetch.occurrence);
    }
  }

  const SyncServices& services_;
  const SyncRequest& request_;
  state::AccountRow& account_;
  const bool by_top_;
  SteadyTime start_;
  net::Pop3Client* client_ = nullptr;
  std::uint64_t octets_ = 0;  // retrieved, but for what TOP did not prove
  bool asking_top_ = false;
  bool no_top_ = false;  // the server refuses it
  MaildropComparison result_;
};

}  // namespace

// Where most of what was looked at could not be recognised nothing is proved.
MaildropComparison::Verdict MaildropComparison::verdict() const {
  if (!other.empty()) return Verdict::another;
  return equal * 2 > looked_at ? Verdict::same : Verdict::unclear;
}

MaildropComparison compare_maildrop(const SyncServices& services, const SyncRequest& request, state::AccountRow& account) {
  Comparing first(services, request, account, true);
  try {
    return first.run();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted || !first.ended_over_top()) throw;
  }
  return Comparing(services, request, account, false).run();
}

}  // namespace popsync::sync
