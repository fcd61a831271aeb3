// SPDX-License-Identifier: MIT
#include "sync/account_sync.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "state/account_lock.h"
#include "sync/account_identity.h"
#include "sync/clock_trouble.h"
#include "sync/confirming.h"
#include "sync/deletion.h"
#include "sync/free_space.h"
#include "sync/login_delay.h"
#include "sync/lost_state.h"
#include "sync/maildrop_look.h"
#include "sync/mailstore_opening.h"
#include "sync/marker_memory.h"
#include "sync/message_intake.h"
#include "sync/moved_mailstore.h"
#include "sync/outcome.h"
#include "sync/plan_policy.h"
#include "sync/publisher.h"
#include "sync/recovery.h"
#include "sync/rekeying_session.h"
#include "sync/relearning_session.h"
#include "sync/session_opening.h"
#include "sync/session_records.h"
#include "sync/short_listing.h"
#include "sync/suspension.h"

namespace popsync::sync {
namespace {

constexpr std::uint32_t kSurprisesMax = 2;        // in so many sessions in a row, and it is no accident: the server gets one command at a time
constexpr std::uint64_t kOldDeletionsTold = 100;  // a changed policy that deletes more is announced with the number

class AccountSync {
 public:
  AccountSync(const SyncServices& services, const SyncRequest& request, SyncReport& report)
      : services_(services),
        request_(request),
        settings_(request.settings),
        report_(report),
        space_(services.fs, services.store.directory(), request.settings.min_free_space) {}

  // The story.
  void run() {
    account_ = resolve_account(services_.store, configured_mailstore(settings_).account, services_.configured_names);
    report_.secret_worked = account_->secret_worked;
    const state::FileLock lock = lock_account(account_->id);
    stored_ = services_.store.account(account_->id);
    if (!stored_ || stored_->user != settings_.login.user)
      throw Error(ErrorCode::lock_held, "the account was changed by another popsync meanwhile", "try again");
    account_ = stored_;
    // From here on every outcome is recorded, also that the mailstore cannot be looked at.
    const std::optional<state::FileLock> remembered = take_remembered_id();
    records_.emplace(services_.store, services_.clock, settings_, *account_);
    deletion_.emplace(*records_, settings_.name);
    follow_moved_mailstore(services_.store, services_.fs, *account_, settings_.mailstore);
    std::optional<OpenMailstore> mailstore = find_mailstore(services_.store, services_.fs, *account_, settings_.mailstore);
    if (mailstore) take_into_use(services_.store, services_.fs, *account_, *mailstore);
    recover_first(mailstore);
    server_ = stored_server_ = services_.store.server_memory(account_->id);  // recovery may have taken rows away, and with them the listing
    space_.need(mailstore ? &*mailstore : nullptr, 0);
    if (mailstore) refuse_if_undurable(*mailstore);
    bring_times_back();
    if (const auto not_before = login_not_before(*account_, services_.clock.wall())) return decline(*not_before);
    try {
      if (hold_session(mailstore)) hold_session_apart(mailstore);
    } catch (const Error&) {
      if (!apart_ || !blamed_) throw;  // else the message is to blame: the try is counted, and the others are here
    }
    refuse_restless_unique_ids(*account_);
  }

  // Also after a failure; keeps what was learnt.
  void finish() {
    if (!account_ || !stored_) return;
    if (records_) records_->tell_the_rest();
    report_.held = services_.store.held_count(account_->id);
    report_.deletion_waits_since = deletion_waits_since(services_.store, services_.clock, account_->id, settings_);
    // What was declined is no attempt and no failure.
    if (report_.result == SyncResult::not_run) return;
    if (report_.error && report_.error->code() == ErrorCode::desynchronised && (glancing_ || account_->marker.empty())) {
      MarkerMemory(*account_).forget();  // `UIDL n` was answered with more than one line, perhaps
    }
    if (report_.result == SyncResult::error) count_refusal();
    // A failed session is a surprise: the next one asks what the server can do.
    if (report_.error && opened_ && report_.error->code() != ErrorCode::interrupted) server_.capabilities.reset();
    record_outcome(services_.store, services_.clock, {*stored_, stored_server_}, {*account_, server_}, report_, services_.bookkeeping_every);
  }

 private:
  [[nodiscard]] state::FileLock lock_account(const std::string& id) const {
    return state::lock_account(services_.store.directory(), id, services_.command, request_.lock_wait, request_.stop);
  }

  // A Maildir that was filled under a lost state may name the account. Gives the lock of the id that it has then.
  std::optional<state::FileLock> take_remembered_id() {
    const std::string id = id_to_take(services_.store, services_.fs, configured_mailstore(settings_), *account_);
    if (id.empty()) return std::nullopt;
    std::optional<state::FileLock> lock(lock_account(id));
    account_ = stored_ = take_id(services_.store, *account_, id);
    return lock;
  }

  // The daemon meets here that the clock was put right while it ran.
  void bring_times_back() {
    services_.store.note_clock(services_.clock.reading());
    if (!services_.store.bring_times_back({&*account_, 1}, services_.clock.wall())) return;
    account_ = stored_ = services_.store.account(account_->id);
  }

  void count_refusal() {
    if (account_->tried_with != request_.tried_with) account_->refusals = 0;
    account_->tried_with = request_.tried_with;
    if (refuses_login(report_.error->code())) ++account_->refusals;
    report_.refusals = account_->refusals;
  }

  void decline(WallTime not_before) {
    report_.error = too_early(*account_, not_before);
    report_.login_delay = honoured_login_delay(account_->login_delay);
  }

  // Returns whether messages are left that broke a session before and wait for one of their own.
  bool hold_session(std::optional<OpenMailstore>& mailstore) {
    // What a lost state knew is told from names only beside the whole listing.
    const bool unlearned = mailstore && mailstore->maildir && mailstore->staging().unlearned_since();
    const auto last = unlearned ? std::nullopt : listing_to_compare(services_.store, services_.clock, settings_, *account_, server_);
    glancing_ = last.has_value();
    OpenSession session = open(last);
    const MaildropLook seen = look(*session.client, last, [&] { make_mailstore(mailstore); });
    glancing_ = false;
    relearn_if_marked({.store = services_.store, .fs = services_.fs, .clock = services_.clock, .account = *account_, .mailstore = *mailstore},
                      seen.listing, hides_messages(settings_));
    FetchPlan plan = seen.listing.complete ? make_plan(*session.client, seen.listing) : plan_new(seen);
    records_->record_plan(plan, seen.listing, [&] { space_.need(&*mailstore, 0); });
    const bool left = put_off_apart(plan);
    finish_session(*session.client, *mailstore, plan, seen.listing.unique_ids);
    if (!left && !apart_) keep_for_comparison(seen);
    return left && report_.login_delay == std::chrono::seconds(0);  // else they wait for a session with nothing else to do
  }

  // A new mailstore is made once the account has proved to be real: a wrong password must not leave folders behind.
  void make_mailstore(std::optional<OpenMailstore>& mailstore) {
    if (mailstore) return;
    mailstore.emplace(open_mailstore(services_.store, services_.fs, *account_, settings_.mailstore));
    take_into_use(services_.store, services_.fs, *account_, *mailstore);
    // What a lost state left in staging, or what was staged for an mbox that is gone.
    const bool unlearned = mailstore->maildir && mailstore->staging().unlearned_since();
    if (unlearned || !services_.store.staged(account_->id).empty()) recover_first(mailstore);
    refuse_if_undurable(*mailstore);
  }

  void hold_session_apart(std::optional<OpenMailstore>& mailstore) {
    apart_ = true;
    published_.clear();
    deletion_.emplace(*records_, settings_.name);
    OpenSession session = open({});
    const net::MaildropListing listing = look(*session.client, {}, {}).listing;
    FetchPlan plan = make_plan(*session.client, listing);
    plan.confirm.clear();
    std::erase_if(plan.fetch, [](const Fetch& fetch) { return !fetch.apart; });
    finish_session(*session.client, *mailstore, plan, listing.unique_ids);
  }

  // With nothing else to do this session is theirs.
  bool put_off_apart(FetchPlan& plan) {
    const auto apart = std::ranges::find_if(plan.fetch, &Fetch::apart);
    if (apart == plan.fetch.end()) return false;
    apart_ = apart == plan.fetch.begin() && plan.confirm.empty();
    if (apart_) return false;
    plan.fetch.erase(apart, plan.fetch.end());
    return true;
  }

  void finish_session(net::Pop3Client& client, OpenMailstore& mailstore, const FetchPlan& plan, bool unique_ids) {
    retrieve(client, mailstore, plan.fetch, unique_ids);
    confirm(client, mailstore, plan);
    // From here on the server may act on what we say. Another account on this disk may have found it failing meanwhile.
    refuse_suspended(services_.store, *account_, mailstore);
    remove(client);
    deletion_->commit(client, client.has_read());
  }

  void recover_first(std::optional<OpenMailstore>& mailstore) {
    const Recovered recovered = recover(services_.store, services_.fs, services_.clock, *account_, mailstore ? &*mailstore : nullptr, request_.stop);
    report_.recovered += recovered.published + recovered.unverified;
    if (recovered.published > 0) log_info(settings_.name, counted(recovered.published, "message") + " finished after an interruption");
  }

  void refuse_if_undurable(OpenMailstore& mailstore) {
    if (leave_policy(settings_).kind != LeavePolicy::Kind::keep) refuse_undurable_deletion(services_.store, *account_, mailstore);
  }

  // With `last`, a glance at the maildrop may leave together with the login.
  OpenSession open(const std::optional<state::KnownListing>& last) {
    tell(Progress::Phase::connecting);
    Shortcuts shortcuts{.memory = &server_, .glance_at = {}, .tls = request_.tls == nullptr ? &own_tls_ : request_.tls};
    if (last) shortcuts.glance_at = last_number(*last);
    OpenSession session = open_session(settings_, request_.secret, services_.clock, request_.stop, request_.trace, shortcuts);
    opened_ = true;
    server_.listing.reset();  // until this session has ended well
    account_->secret_worked = true;
    account_->refusals = 0;
    report_.secret_worked = true;
    learn_from(session);
    return session;
  }

  void learn_from(const OpenSession& session) {
    const pop3::Capabilities& capabilities = session.client->capabilities();
    const std::chrono::seconds announced = capabilities.login_delay.value_or(std::chrono::seconds(0));
    report_.login_delay = honoured_login_delay(announced);
    if (announced > report_.login_delay) {
      log_warning(settings_.name, "the server wants " + human_duration(announced) + " between logins (LOGIN-DELAY); it is given " +
                                      human_duration(report_.login_delay));
    }
    note_login(*account_, report_.login_delay, services_.clock.wall());
    if (!capabilities.announced) return;
    account_->expire_days.reset();
    if (capabilities.expire) account_->expire_days = static_cast<std::uint32_t>(capabilities.expire->count());
  }

  // `meanwhile` is called while the answers are under way, if it is given.
  MaildropLook look(net::Pop3Client& client, const std::optional<state::KnownListing>& last, const std::function<void()>& meanwhile) {
    tell(Progress::Phase::listing);
    MaildropLook seen = MarkerMemory(*account_).look(
        {.client = client, .store = services_.store, .clock = services_.clock, .settings = settings_, .account = *account_, .meanwhile = meanwhile},
        last);
    // Shown by the listing, behind the opening that keeps what was announced.
    if (server_.capabilities) server_.capabilities->after_login = client.capabilities().to_text();
    if (seen.listing.unusable_lines > 0) {
      log_warning(settings_.name, counted(seen.listing.unusable_lines, "line") +
                                      " of the server's listing made no sense; those messages are left alone in this session");
    }
    need_unique_ids(seen.listing, settings_);
    return seen;
  }

  // Every message is new, and no row is looked at: of those that are known nothing was seen, so nothing is concluded.
  FetchPlan plan_new(const MaildropLook& seen) {
    report_.skipped = seen.maildrop->count - seen.listing.entries.size();
    if (settings_.skip_first_message && report_.skipped > 0) --report_.skipped;
    return plan_fetch(seen.listing.entries, {}, policy_for(settings_, *account_, true, {}));
  }

  // The next session may compare with this listing if every message of it was dealt with.
  void keep_for_comparison(const MaildropLook& seen) {
    if (undone_ || !deletion_->certain() || !seen.maildrop) return;
    std::vector<pop3::MessageNumber> deleted;
    for (const Removal& removal : deletion_->removals()) deleted.push_back(removal.number);
    server_.listing = without(*seen.maildrop, seen.listing.entries, seen.in_front, deleted);
  }

  FetchPlan make_plan(net::Pop3Client& client, const net::MaildropListing& listing) {
    auto rows = services_.store.messages(account_->id);
    if (!listing.unique_ids && std::ranges::any_of(rows, [](const state::MessageRow& row) { return !row.uid.octets.empty(); })) {
      throw Error(ErrorCode::server_temporary, "the server has no UIDL today, though it had it before",
                  "it is asked again later; without it everything would be fetched again");
    }
    restart_clocks_ahead(services_.store, services_.clock, rows);
    const PlanPolicy policy = policy_for(settings_, *account_, listing.unique_ids, row_ages(&services_.store, services_.clock));
    const auto learn = [&](const pop3::ListingEntry& entry) { return MarkerMemory(*account_).learn(client, entry); };
    if (!apart_ && follow_new_unique_ids({.client = client, .learn_marker = learn, .store = services_.store, .account = *account_, .policy = policy},
                                         listing.entries, rows)) {
      rows = services_.store.messages(account_->id);
    }
    FetchPlan plan = plan_fetch(listing.entries, rows, policy);
    if (!apart_) report_.skipped = plan.known;
    const bool policy_changed = !account_->policy.empty() && account_->policy != settings_.leave_text;
    const std::size_t due = policy_changed ? plan.due().size() : 0;
    if (due > kOldDeletionsTold) {
      log_warning(settings_.name,
                  "leave_on_server was changed: " + counted(due, "message") + " stored in earlier sessions will now be deleted on the server");
    }
    account_->policy = settings_.leave_text;
    return plan;
  }

  Compared retrieve(net::Pop3Client& client, OpenMailstore& mailstore, std::span<const Fetch> fetches, bool unique_ids) {
    if (fetches.empty()) return {};
    std::uint64_t octets = 0;
    for (const Fetch& fetch : fetches) octets += fetch.entry.list_size.value_or(0);
    space_.need(&mailstore, std::min(octets, services_.batch.octets));
    marker_ = MarkerMemory(*account_).learn(client, fetches.front().entry);
    const auto pool = services_.pools.of(services_.fs.stat_open(mailstore.staging().dir()).device);
    Publisher publisher(services_.store, services_.clock, *account_, mailstore, request_.stop, services_.publish_on);
    MessageIntake intake({.store = services_.store,
                          .clock = services_.clock,
                          .account = *account_,
                          .mailstore = mailstore,
                          .pool = *pool,
                          .publisher = publisher,
                          .batch = services_.batch,
                          .space = space_,
                          .warnings = records_->warnings(),
                          .max_message_size = settings_.max_message_size,
                          .unique_ids = unique_ids,
                          .progress = request_.progress},
                         fetches);
    try {
      transfer(client, fetches, intake);
      intake.flush();
      tell(Progress::Phase::publishing);
      while (!publisher.finish(settings_.patience.keep_alive)) client.noop();
    } catch (const Error& error) {
      save_proven(error, intake, publisher);
      throw;
    }
    note_published(publisher);
    note_settled(intake);
    // Also what is refused and counts as no try.
    undone_ = undone_ || publisher.published().size() + intake.settled().size() < fetches.size();
    return intake.compared();
  }

  void confirm(net::Pop3Client& client, OpenMailstore& mailstore, const FetchPlan& plan) {
    if (plan.confirm.empty()) return;
    Confirming confirming({.client = client,
                           .store = services_.store,
                           .clock = services_.clock,
                           .account = *account_,
                           .records = *records_,
                           .deletion = *deletion_,
                           .learn_marker = [&](const pop3::ListingEntry& entry) { return MarkerMemory(*account_).learn(client, entry); },
                           .retrieve = [&](std::span<const Fetch> fetches) { return retrieve(client, mailstore, fetches, true); },
                           .limits = services_.confirm});
    confirming.run(plan);
    undone_ = undone_ || confirming.left() > 0;
  }

  void transfer(net::Pop3Client& client, std::span<const Fetch> fetches, MessageIntake& intake) {
    std::vector<pop3::ListingEntry> entries;
    entries.reserve(fetches.size());
    for (const Fetch& fetch : fetches) entries.push_back(fetch.entry);
    ahead_ = !apart_ && client.pipelining() && account_->surprises < kSurprisesMax;
    const net::Sending sending = apart_ ? net::Sending::apart : ahead_ ? net::Sending::ahead : net::Sending::one_at_a_time;
    net::retrieve(client.connection(), entries, marker_, sending, intake);
    if (ahead_) account_->surprises = 0;
  }

  // The session has failed; what its markers proved is whole all the same, and stays.
  void save_proven(const Error& error, MessageIntake& intake, Publisher& publisher) {
    if (error.code() == ErrorCode::desynchronised) note_surprise();
    try {
      intake.flush();
      while (!publisher.finish(settings_.patience.keep_alive)) {
      }
      note_published(publisher);
      note_settled(intake);
      if (intake.oversized() != nullptr) records_->hold_oversized(*intake.oversized(), intake.oversized_reason());
      blame(error, intake);
    } catch (const Error& second) {
      if (second.code() != error.code()) log_warning(settings_.name, std::string("while saving what had come: ") + second.what());
    }
  }

  // Some servers, and programs between, merge or reorder the answers to commands that were sent ahead. One message that is not byte-stuffed looks the
  // same, but from the next session on it is fetched apart.
  void note_surprise() {
    MarkerMemory(*account_).forget();
    if (!ahead_ || ++account_->surprises < kSurprisesMax) return;
    log_warning(settings_.name, "the server's answers to commands sent ahead keep falling out of step; from now on it gets one at a time");
  }

  // Which message broke the session, if one did. What went wrong here, or between two messages, is nobody's fault.
  void blame(const Error& error, const MessageIntake& intake) {
    if (error.code() == ErrorCode::desynchronised || error.code() == ErrorCode::not_pop3) {
      count_try(intake.suspect(), "the server's answers fall out of step behind it");
    } else if (error.code() == ErrorCode::timeout) {
      count_try(intake.suspect(), "the server falls silent at it");
    } else if (error.code() == ErrorCode::network) {
      count_try(intake.under_way(), "the connection ended in the middle of it");
    }
  }

  void count_try(const Fetch* fetch, const std::string& reason) {
    if (fetch == nullptr) return;
    records_->record_broken(*fetch, reason);
    blamed_ = true;
  }

  void note_published(const Publisher& publisher) {
    const std::vector<Published>& published = publisher.published();
    published_.insert(published_.end(), published.begin(), published.end());
    report_.fetched += published.size();
    report_.octets += publisher.published_octets();
  }

  void note_settled(const MessageIntake& intake) { deletion_->add(records_->record_settled(intake)); }

  void remove(net::Pop3Client& client) {
    if (leave_policy(settings_).kind == LeavePolicy::Kind::remove) {
      for (const Published& each : published_) {
        if (each.removable) deletion_->add({.row = each.row, .number = each.number});
      }
    }
    if (settings_.rset_before_quit && client.has_read()) client.rset();
    if (deletion_->removals().empty()) return;
    tell(Progress::Phase::deleting);
    deletion_->mark(client);
    report_.deleted += deletion_->removals().size();
  }

  void tell(Progress::Phase phase) {
    if (request_.progress) request_.progress({.phase = phase});
  }

  const SyncServices& services_;
  const SyncRequest& request_;
  const AccountSettings& settings_;
  SyncReport& report_;
  FreeSpace space_;
  std::optional<state::AccountRow> stored_;   // as it was
  std::optional<state::AccountRow> account_;  // with what this session learns
  std::optional<SessionRecords> records_;
  std::optional<Deletion> deletion_;   // of the session at hand
  net::TlsMemory own_tls_;             // for the second session
  state::ServerMemory stored_server_;  // as it was
  state::ServerMemory server_;         // with what this session learns
  net::Marker marker_ = net::Marker::unknown;
  bool opened_ = false;    // the server was reached and has taken the login
  bool glancing_ = false;  // a glance at the maildrop is under way
  bool undone_ = false;    // a message was refused
  bool ahead_ = false;     // its RETRs were sent ahead
  bool apart_ = false;     // the session at hand is for messages that broke one before
  bool blamed_ = false;    // it failed because of a message
  std::vector<Published> published_;
};

void fail(SyncReport& report, const Error& error) {
  report.result = error.code() == ErrorCode::interrupted ? SyncResult::interrupted : SyncResult::error;
  report.error = error;
}

}  // namespace

SyncReport sync_account(const SyncServices& services, const SyncRequest& request) {
  SyncReport report;
  report.account = request.settings.name;
  const SteadyTime start = services.clock.steady();
  AccountSync sync(services, request, report);
  try {
    sync.run();
    report.result = report.error ? SyncResult::not_run : SyncResult::ok;
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

}  // namespace popsync::sync
