// SPDX-License-Identifier: MIT
#include "sync/account_sync.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "state/account_lock.h"
#include "state/transaction.h"
#include "sync/account_identity.h"
#include "sync/mailstore_opening.h"
#include "sync/message_intake.h"
#include "sync/outcome.h"
#include "sync/publisher.h"
#include "sync/recovery.h"
#include "sync/session_opening.h"

namespace popsync::sync {
namespace {

constexpr std::chrono::seconds kKeepAliveEvery{30};  // NOOP while the disk catches up; servers log out after a minute or ten (RFC 1939 section 3)
constexpr std::uint64_t kOldDeletionsTold = 100;     // a changed policy that deletes more is announced with the number

net::Marker marker_from(const std::string& text) {
  if (text == "uidl") return net::Marker::uidl;
  if (text == "list") return net::Marker::list;
  return text == "none" ? net::Marker::none : net::Marker::unknown;
}

std::string text_of(net::Marker marker) {
  switch (marker) {
    case net::Marker::uidl: return "uidl";
    case net::Marker::list: return "list";
    case net::Marker::none: return "none";
    case net::Marker::unknown: break;
  }
  return "";
}

PlanPolicy policy_for(const AccountSettings& settings, const state::AccountRow& account, std::span<const state::MessageRow> rows, bool unique_ids,
                      const Clock& clock) {
  const WallTime now = clock.wall();
  // A clock behind what was stored last has been set back: ages mean nothing until it has caught up.
  const bool behind = std::ranges::any_of(rows, [&](const state::MessageRow& row) { return row.stored_at > now; });
  return {.leave = settings.leave,
          .max_message_size = settings.max_message_size,
          .unique_ids = unique_ids,
          .sizes_mean_something = account.equal_settlements < state::kEqualSettlementsMax,
          .hides_messages = hides_messages(settings),
          .clock_trusted = clock.trusted() && !behind,
          .now = now,
          .complete_listings = account.complete_listings,
          .last_listing_count = account.last_listing_count};
}

void need_unique_ids(const net::MaildropListing& listing, const AccountSettings& settings) {
  if (listing.unique_ids || settings.leave.kind == LeavePolicy::Kind::remove) return;
  throw Error(ErrorCode::server_permanent, "the server has no UIDL, so messages left on it could not be told from new ones",
              "set leave_on_server = false for this account: fetch and delete is the only safe way there");
}

class AccountSync {
 public:
  AccountSync(const SyncServices& services, const SyncRequest& request, SyncReport& report)
      : services_(services), request_(request), settings_(request.settings), report_(report) {}

  // The story.
  void run() {
    account_ = resolve_account(services_.store, {settings_.name, settings_.endpoint.host, settings_.login.user}, services_.configured_names);
    report_.secret_worked = account_->secret_worked;
    const state::FileLock lock = state::lock_account(services_.store.directory(), account_->id, services_.command, request_.lock_wait, request_.stop);
    stored_ = services_.store.account(account_->id);
    if (!stored_) throw Error(ErrorCode::lock_held, "the account was changed by another popsync meanwhile", "try again");
    account_ = stored_;
    std::optional<OpenMailstore> mailstore = find_mailstore(services_.store, services_.fs, *account_, settings_.maildir);
    recover_first(mailstore);
    OpenSession session = open();
    // A new Maildir is made once the account has proved to be real: a wrong password must not leave folders behind.
    if (!mailstore) mailstore.emplace(open_mailstore(services_.store, services_.fs, *account_, settings_.maildir));
    const net::MaildropListing listing = look(*session.client);
    const FetchPlan plan = make_plan(listing);
    record_plan(plan, listing);
    retrieve(*session.client, *mailstore, plan, listing.unique_ids);
    remove(*session.client, plan);
    quit(*session.client, plan);
  }

  // Also after a failure; keeps what was learnt.
  void finish() {
    if (!account_ || !stored_) return;
    report_.held = services_.store.held(account_->id).size();
    record_outcome(services_.store, services_.clock, *stored_, *account_, report_);
  }

 private:
  void recover_first(std::optional<OpenMailstore>& mailstore) {
    const Recovered recovered = recover(services_.store, services_.fs, services_.clock, *account_, mailstore ? &*mailstore : nullptr);
    report_.recovered = recovered.published + recovered.unverified;
    if (recovered.published > 0) log_info(settings_.name, counted(recovered.published, "message") + " finished after an interruption");
  }

  OpenSession open() {
    tell(Progress::Phase::connecting);
    OpenSession session = open_session(settings_, request_.secret, services_.clock, request_.stop, request_.trace);
    account_->secret_worked = true;
    report_.secret_worked = true;
    report_.login_delay = session.client->capabilities().login_delay.value_or(std::chrono::seconds(0));
    return session;
  }

  net::MaildropListing look(net::Pop3Client& client) {
    tell(Progress::Phase::listing);
    net::MaildropListing listing = client.listing();
    if (listing.unusable_lines > 0) {
      log_warning(settings_.name,
                  counted(listing.unusable_lines, "line") + " of the server's listing made no sense; those messages are left alone in this session");
    }
    need_unique_ids(listing, settings_);
    return listing;
  }

  FetchPlan make_plan(const net::MaildropListing& listing) {
    const auto rows = services_.store.messages(account_->id);
    if (!listing.unique_ids && std::ranges::any_of(rows, [](const state::MessageRow& row) { return !row.uid.octets.empty(); })) {
      throw Error(ErrorCode::server_temporary, "the server has no UIDL today, though it had it before",
                  "it is asked again later; without it everything would be fetched again");
    }
    FetchPlan plan = plan_fetch(listing.entries, rows, policy_for(settings_, *account_, rows, listing.unique_ids, services_.clock));
    report_.skipped = plan.known;
    const bool policy_changed = !account_->policy.empty() && account_->policy != settings_.leave_text;
    if (policy_changed && plan.remove.size() > kOldDeletionsTold) {
      log_warning(settings_.name, "leave_on_server was changed: " + counted(plan.remove.size(), "message") +
                                      " stored in earlier sessions will now be deleted on the server");
    }
    account_->policy = settings_.leave_text;
    return plan;
  }

  // What the listing alone tells: sizes, absences, messages over the limit.
  void record_plan(const FetchPlan& plan, const net::MaildropListing& listing) {
    account_->last_listing_count = listing.entries.size();
    if (plan.counts_as_listing) ++account_->complete_listings;
    if (!plan.changes_rows()) return;
    auto transaction = services_.store.begin();
    const WallTime now = services_.clock.wall();
    for (const auto& [row, size] : plan.first_sizes) transaction.set_list_size(row, size);
    for (const state::RowId row : plan.absent) transaction.set_absent(row, now, account_->complete_listings);
    for (const state::RowId row : plan.returned) transaction.set_absent(row, std::nullopt, 0);
    for (const state::RowId row : plan.forget) transaction.erase_message(row);
    for (const Hold& hold : plan.hold) transaction.insert_known(too_big(hold.entry));
    transaction.commit();
  }

  [[nodiscard]] state::NewKnown too_big(const pop3::ListingEntry& entry) const {
    log_warning(settings_.name, "message " + pop3::to_text(entry.uid) + " (listed with " + human_octets(entry.list_size.value_or(0)) +
                                    ") is over max_message_size and is held");
    return {.account = account_->id,
            .state = state::RowState::held,
            .uid = entry.uid,
            .list_size = entry.list_size,
            .reason = "larger than max_message_size (" + human_octets(settings_.max_message_size) + ")",
            .tries = 0,
            .at = services_.clock.wall()};
  }

  void retrieve(net::Pop3Client& client, OpenMailstore& mailstore, const FetchPlan& plan, bool unique_ids) {
    if (plan.fetch.empty()) return;
    learn_marker(client, plan);
    Publisher publisher(services_.store, services_.clock, *account_, mailstore);
    MessageIntake intake({.store = services_.store,
                          .clock = services_.clock,
                          .account = *account_,
                          .mailstore = mailstore,
                          .pool = services_.pool,
                          .publisher = publisher,
                          .max_message_size = settings_.max_message_size,
                          .unique_ids = unique_ids,
                          .progress = request_.progress},
                         plan.fetch, plan.octets);
    try {
      transfer(client, plan, intake);
      intake.flush();
      tell(Progress::Phase::publishing);
      while (!publisher.finish(kKeepAliveEvery)) client.noop();
    } catch (const Error& error) {
      save_proven(error, intake, publisher);
      throw;
    }
    note_published(publisher);
    record_settled(intake);
  }

  void learn_marker(net::Pop3Client& client, const FetchPlan& plan) {
    marker_ = marker_from(account_->marker);
    if (marker_ == net::Marker::unknown) marker_ = net::learn_marker(client.connection(), plan.fetch.front().entry);
    account_->marker = text_of(marker_);
  }

  void transfer(net::Pop3Client& client, const FetchPlan& plan, MessageIntake& intake) {
    std::vector<pop3::ListingEntry> entries;
    entries.reserve(plan.fetch.size());
    for (const Fetch& fetch : plan.fetch) entries.push_back(fetch.entry);
    net::retrieve(client.connection(), entries, marker_, client.pipelining(), intake);
  }

  // The session has failed; what its markers proved is whole all the same, and stays.
  void save_proven(const Error& error, MessageIntake& intake, Publisher& publisher) {
    if (error.code() == ErrorCode::desynchronised) account_->marker.clear();  // a surprise: learn anew
    try {
      intake.flush();
      while (!publisher.finish(kKeepAliveEvery)) {
      }
      note_published(publisher);
      record_settled(intake);
      if (intake.oversized() != nullptr) hold_oversized(*intake.oversized());
      if (error.code() == ErrorCode::desynchronised && intake.suspect() != nullptr) record_suspect(*intake.suspect());
    } catch (const Error& second) {
      if (second.code() != error.code()) log_warning(settings_.name, std::string("while saving what had come: ") + second.what());
    }
  }

  // A message that is not byte-stuffed breaks every session at its place (Dovecot sends one so whose first octet is a dot); from now on it comes
  // last.
  void record_suspect(const Fetch& fetch) {
    auto transaction = services_.store.begin();
    record_refused(transaction, {.fetch = &fetch, .reason = "the server's answers fall out of step behind it"});
    transaction.commit();
  }

  void hold_oversized(const Fetch& fetch) {
    auto transaction = services_.store.begin();
    state::NewKnown row = too_big(fetch.entry);
    row.tries = kRefusalsMax;  // its listed size is a lie, so only this keeps the next session from trying again
    if (fetch.replaces.empty()) {
      transaction.insert_known(row);
    } else {
      transaction.update_held(fetch.replaces.front(), row.reason, row.tries);
    }
    transaction.commit();
  }

  void note_published(const Publisher& publisher) {
    published_ = publisher.published();
    report_.fetched = published_.size();
    report_.octets = publisher.published_octets();
  }

  void record_settled(const MessageIntake& intake) {
    if (intake.settled().empty() && intake.refusals().empty()) return;
    auto transaction = services_.store.begin();
    for (const Settled& settled : intake.settled()) record_settled(transaction, settled);
    for (const Refused& refused : intake.refusals()) record_refused(transaction, refused);
    transaction.commit();
  }

  void record_settled(state::Transaction& transaction, const Settled& settled) {
    const Candidate& row = *settled.identification.row;
    transaction.set_absent(row.row, std::nullopt, 0);
    if (settled.identification.verdict == Verdict::changed) {
      log_warning(settings_.name,
                  "message " + pop3::to_text(settled.entry.uid) +
                      " was changed on its way to us or on the server since it was stored; the first copy is kept and nothing is deleted");
      transaction.set_removable(row.row, false);
    } else {
      if (row.size_differs) ++account_->equal_settlements;
      if (settled.gave_up) {
        log_warning(settings_.name, "message " + pop3::to_text(settled.entry.uid) + " came back each of " + std::to_string(kDeletionsMax) +
                                        " times it was deleted on the server; it is left there from now on");
      }
      if (settled.remove) removals_.push_back({.row = row.row, .number = settled.entry.number});
    }
    const bool ours = row.free && claimed_.insert(row.row).second;
    if (ours && settled.entry.list_size) transaction.set_list_size(row.row, *settled.entry.list_size);
    // A second copy behind the same unique-id: it gets a row of its own, or it would be compared again in every session.
    if (!ours && !settled.entry.uid.octets.empty()) {
      transaction.insert_known({.account = account_->id,
                                .state = state::RowState::seen,
                                .uid = settled.entry.uid,
                                .list_size = settled.entry.list_size,
                                .reason = "",
                                .tries = 0,
                                .at = services_.clock.wall()});
    }
  }

  void record_refused(state::Transaction& transaction, const Refused& refused) {
    const std::uint32_t tries = refused.fetch->tries + 1;
    log_warning(settings_.name, "message " + pop3::to_text(refused.fetch->entry.uid) + ": " + refused.reason +
                                    (tries < kRefusalsMax ? "; it is tried again" : "; it is held and not tried any more"));
    if (!refused.fetch->replaces.empty()) {
      transaction.update_held(refused.fetch->replaces.front(), refused.reason, tries);
    } else if (!refused.fetch->known) {
      transaction.insert_known({.account = account_->id,
                                .state = state::RowState::held,
                                .uid = refused.fetch->entry.uid,
                                .list_size = refused.fetch->entry.list_size,
                                .reason = refused.reason,
                                .tries = tries,
                                .at = services_.clock.wall()});
    }
  }

  // Only rows whose PUBLISHED is committed, or that were compared with what the server gave in this session.
  void remove(net::Pop3Client& client, const FetchPlan& plan) {
    removals_.insert(removals_.end(), plan.remove.begin(), plan.remove.end());
    if (settings_.leave.kind == LeavePolicy::Kind::remove) {
      for (const Published& each : published_) {
        if (each.removable) removals_.push_back({.row = each.row, .number = each.number});
      }
    }
    if (settings_.rset_before_quit && !plan.fetch.empty()) client.rset();
    if (removals_.empty()) return;
    tell(Progress::Phase::deleting);
    std::vector<pop3::MessageNumber> numbers;
    for (const Removal& removal : removals_) numbers.push_back(removal.number);
    const std::vector<bool> answers = client.dele(numbers);
    // -ERR: gone already, or never there; the next listing decides.
    std::vector<Removal> marked;
    for (std::size_t i = 0; i < removals_.size(); ++i) {
      if (answers[i]) marked.push_back(removals_[i]);
    }
    removals_ = std::move(marked);
    report_.deleted = removals_.size();
  }

  // Everything retrieved here is published, settled or refused: only now the server may act on it.
  void quit(net::Pop3Client& client, const FetchPlan& plan) {
    const bool confirmed = client.quit(!plan.fetch.empty() || !removals_.empty());
    if (removals_.empty()) return;
    if (!confirmed) {
      log_warning(settings_.name,
                  "the server did not confirm the deletion of " + counted(removals_.size(), "message") + "; the next session sees what is left");
      return;
    }
    auto transaction = services_.store.begin();
    for (const Removal& removal : removals_) record_deleted(transaction, removal);
    transaction.commit();
  }

  void record_deleted(state::Transaction& transaction, const Removal& removal) {
    transaction.count_deletion(removal.row);
    transaction.set_absent(removal.row, services_.clock.wall(), account_->complete_listings);
  }

  void tell(Progress::Phase phase) {
    if (request_.progress) request_.progress({.phase = phase});
  }

  const SyncServices& services_;
  const SyncRequest& request_;
  const AccountSettings& settings_;
  SyncReport& report_;
  std::optional<state::AccountRow> stored_;   // as it was
  std::optional<state::AccountRow> account_;  // with what this session learns
  net::Marker marker_ = net::Marker::unknown;
  std::vector<Published> published_;
  std::vector<Removal> removals_;
  std::set<state::RowId> claimed_;  // rows that a settled message was found to be
};

void fail(SyncReport& report, const Error& error) {
  report.result = error.code() == ErrorCode::interrupted ? SyncResult::interrupted : SyncResult::error;
  report.error = error;
}

}  // namespace

bool hides_messages(const AccountSettings& settings) {
  return settings.endpoint.host == "pop.gmail.com" || settings.endpoint.host == "pop.googlemail.com";
}

SyncReport sync_account(const SyncServices& services, const SyncRequest& request) {
  SyncReport report;
  report.account = request.settings.name;
  const SteadyTime start = services.clock.steady();
  AccountSync sync(services, request, report);
  try {
    sync.run();
    report.result = SyncResult::ok;
  } catch (const Error& error) {
    fail(report, error);
  } catch (const std::exception& exception) {
    fail(report, Error(ErrorCode::bug, std::string("unexpected: ") + escaped(exception.what()), "please report this"));
  }
  try {
    sync.finish();
  } catch (const Error& error) {
    if (!report.error) fail(report, error);
  } catch (const std::exception& exception) {
    if (!report.error) fail(report, Error(ErrorCode::bug, std::string("unexpected: ") + escaped(exception.what()), "please report this"));
  }
  report.duration = std::chrono::duration_cast<std::chrono::milliseconds>(services.clock.steady() - start);
  return report;
}

std::uint64_t recover_account(const SyncServices& services, const AccountSettings& settings, const StopSignal& stop) {
  const auto stored = services.store.accounts();
  const AccountDecision decision = decide_account({settings.name, settings.endpoint.host, settings.login.user}, services.configured_names, stored);
  if (decision.match == AccountMatch::fresh || decision.match == AccountMatch::conflict) return 0;
  const state::FileLock lock = state::lock_account(services.store.directory(), decision.row.id, services.command, std::chrono::milliseconds(0), stop);
  std::optional<OpenMailstore> mailstore = find_mailstore(services.store, services.fs, decision.row, settings.maildir);
  const Recovered recovered = recover(services.store, services.fs, services.clock, decision.row, mailstore ? &*mailstore : nullptr);
  return recovered.published + recovered.unverified;
}

DryRun plan_account(state::StateStore* store, const Clock& clock, const SyncRequest& request, const std::vector<std::string>& configured_names,
                    const std::string& command) {
  const AccountSettings& settings = request.settings;
  state::AccountRow account;
  std::optional<state::FileLock> lock;
  std::vector<state::MessageRow> rows;
  if (store != nullptr) {
    const auto stored = store->accounts();
    const AccountDecision decision = decide_account({settings.name, settings.endpoint.host, settings.login.user}, configured_names, stored);
    if (decision.match == AccountMatch::conflict) refuse_conflict(settings.name, settings.login.user, decision.row);
    account = decision.row;
    if (!account.id.empty()) {
      lock = state::lock_account(store->directory(), account.id, command, request.lock_wait, request.stop);
      rows = store->messages(account.id);
    }
  }
  OpenSession session = open_session(settings, request.secret, clock, request.stop, request.trace);
  const net::MaildropListing listing = session.client->listing();
  need_unique_ids(listing, settings);
  DryRun out{.plan = plan_fetch(listing.entries, rows, policy_for(settings, account, rows, listing.unique_ids, clock)), .old_deletions = 0};
  out.old_deletions = out.plan.remove.size();
  session.client->quit(false);
  return out;
}

}  // namespace popsync::sync
