// SPDX-License-Identifier: MIT
// popsync check: would a sync work? Configuration, secret, mailstore, state; with --connect the server too. Makes nothing and fetches nothing.
#include <iostream>

#include "account_wiring.h"
#include "base/escape.h"
#include "base/folders.h"
#include "base/format.h"
#include "base/log.h"
#include "base/makeable.h"
#include "commands.h"
#include "json_text.h"
#include "look.h"
#include "net/resolver.h"
#include "net/tls_context.h"
#include "state/install.h"
#include "state_opening.h"
#include "sync/account_identity.h"
#include "sync/clock_trouble.h"
#include "sync/fetch_plan.h"
#include "sync/free_space.h"
#include "sync/login_delay.h"
#include "sync/lost_state.h"
#include "sync/mailstore_opening.h"
#include "sync/moved_mailstore.h"
#include "sync/new_mailstore.h"
#include "sync/plan_policy.h"
#include "sync/suspension.h"
#include "sync/top_use.h"

namespace popsync {
namespace {

struct Finding {
  enum class Grade { good, warning, bad } grade = Grade::good;
  std::string what;    // "secret"
  std::string detail;  // one sentence
  std::string hint;
  std::optional<ErrorCode> code;
};

std::string_view text_of(Finding::Grade grade) {
  switch (grade) {
    case Finding::Grade::good: return "ok";
    case Finding::Grade::warning: return "warning";
    case Finding::Grade::bad: return "failed";
  }
  return "failed";
}

class AccountCheck {
 public:
  AccountCheck(const Program& program, const config::Account& account, state::StateStore* store, const StopSignal& stop)
      : program_(program), account_(account), store_(store), stop_(stop) {}

  std::vector<Finding> run() {
    attempt("state", [this] { state(); });
    attempt("clock", [this] { clock(); });
    attempt("deletion", [this] { deletion(); });
    attempt("headers", [this] { headers(); });
    attempt("secret", [this] { secret(); });
    attempt("mailstore", [this] { mailstore(); });
    attempt("tls", [this] { authorities(); });
    if (program_.options.connect) attempt("server", [this] { server(); });
    return std::move(findings_);
  }

 private:
  template <typename Work>
  void attempt(const std::string& what, Work&& work) {
    try {
      std::forward<Work>(work)();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) throw;
      findings_.push_back({.grade = Finding::Grade::bad, .what = what, .detail = error.message(), .hint = error.hint(), .code = error.code()});
    }
  }

  void good(const std::string& what, const std::string& detail) {
    findings_.push_back({.grade = Finding::Grade::good, .what = what, .detail = detail, .hint = "", .code = {}});
  }
  void warn(const std::string& what, const std::string& detail, const std::string& hint) {
    findings_.push_back({.grade = Finding::Grade::warning, .what = what, .detail = detail, .hint = hint, .code = {}});
  }

  void state() {
    if (store_ == nullptr) state::refuse_unusable(program_.paths.state_dir);
    sync::FreeSpace(real_fs(), program_.paths.state_dir, account_.min_free_space).need(nullptr, 0);
    stored_ = stored_account(store_, program_, account_);
    good("state",
         (stored_ ? counted(store_->seen_count(stored_->id), "message") + " known"
                  : "nothing stored yet, the first sync makes it in " + program_.paths.state_dir) +
             (store_ != nullptr && store_->is_copy_of_older() ? "; its tables are those of an older popsync, the next sync changes them" : ""));
    journal("state", program_.paths.state_dir);
  }

  // Nobody would guess why it takes so long, nor look into lost+found. Of a folder that is not there yet, the one that it will be made in tells.
  void journal(const std::string& what, const std::string& path) {
    auto folder = real_fs().open_root(path);
    for (std::string above = path; !folder && above != "/"; folder = real_fs().open_root(above)) above = folder_of(above);
    if (!folder || !real_fs().lacks_journal(folder->get())) return;
    warn(what,
         "the file system of " + escaped(path) +
             " is ext4 without a journal, which keeps a file only once all of it is synced: that is slower, and a power cut may still move mail to "
             "lost+found",
         "a journal mends both: tune2fs -O has_journal DEVICE, while it is not mounted; until then leave_on_server = \"14d\" keeps copies on the "
         "server");
  }

  // Nothing tells otherwise why old messages stay.
  void clock() {
    if (!stored_) return;
    const Clock& clock = clock_of(program_.config.daemon);
    const auto since = sync::deletion_waits_since(*store_, clock, stored_->id, sync_settings(account_));
    if (since) warn("clock", sync::deletion_waits_text(*since), sync::deletion_waits_hint());
  }

  void deletion() {
    const sync::AccountSettings settings = sync_settings(account_);
    if (settings.leave.kind == sync::LeavePolicy::Kind::keep || !sync::hides_messages(settings)) return;
    warn("deletion", "Gmail hides messages from POP3, so popsync cannot recognise them again and deletes none there (leave_on_server)",
         "what becomes of a message that was fetched is set in Gmail: Settings, Forwarding and POP/IMAP");
  }

  void headers() {
    if (!stored_ || sync::may_ask_top(*stored_, system_clock().wall())) return;
    warn("headers",
         "the server is not asked for headers (TOP) before " + rfc3339_utc(*stored_->top_off_since + sync::kTopOffFor) +
             ": its answers ended sessions, or were not those of the messages",
         "messages are retrieved to recognise them; nothing has to be done");
  }

  void secret() {
    const auto keeper = secret_keeper(account_, program_.config);
    keeper->get(stop_);
    good("secret", "can be read");
  }

  void mailstore() {
    const sync::MailstoreTarget target = mailstore_target(account_);
    const std::string path = escaped(target.path);
    // The next sync takes the id that the Maildir has for it: as if there were no row yet.
    if (stored_ && !sync::id_to_take(*store_, real_fs(), sync::configured_mailstore(sync_settings(account_)), *stored_).empty()) stored_.reset();
    const bool used = stored_ && sync::known_mailstore(*store_, real_fs(), *stored_, target);
    if (const auto holder = stored_ ? state::account_holder(store_->directory(), stored_->id) : std::nullopt; used && holder) {
      good("mailstore", path + " is in use, " + state::describe(*holder));
      return;
    }
    if (auto mailstore = stored_ ? sync::find_mailstore(*store_, real_fs(), *stored_, target) : std::nullopt) {
      disk(*mailstore);
      if (mailstore->ahead) {
        warn("mailstore", "the state is older than " + path + ": was the state directory restored from a backup?",
             "the next sync learns from the names of the files what was fetched since");
      }
    }
    journal("mailstore", target.kind == state::MailstoreKind::mbox ? folder_of(target.path) : target.path);
    if (target.kind == state::MailstoreKind::mbox) {
      mbox(target, used);
    } else if (used) {
      good("mailstore", path + " is the Maildir used before");
    } else {
      new_maildir(target);
    }
  }

  // For a row that may not be there yet.
  [[nodiscard]] state::AccountRow row() const {
    if (stored_) return *stored_;
    state::AccountRow unknown;
    unknown.name = account_.name;
    return unknown;
  }

  void new_maildir(const sync::MailstoreTarget& target) {
    const std::string& maildir = target.path;
    const auto key = state::read_install_key(program_.paths.state_dir);
    const delivery::Inspection found = delivery::inspect(real_fs(), maildir, key ? *key : lost_install_key(program_));
    delivery::refuse_unsuitable(maildir, found, account_.name);
    need_makeable(maildir);
    const std::string path = escaped(maildir);
    if (std::ranges::any_of(found.accounts, [&](const delivery::MailstoreId::Account& each) { return is_lost(each, found); })) {
      warn("mailstore", path + " was filled for this account under a state that is gone",
           "the next sync learns from the names of its files what is here, and fetches the rest");
      return;
    }
    sync::refuse_foreign_mail(store_, real_fs(), row(), target);
    switch (found.condition) {
      case delivery::MailstoreCondition::absent: good("mailstore", path + " does not exist yet, the first sync makes it"); break;
      case delivery::MailstoreCondition::empty: good("mailstore", path + " is empty, the first sync makes a Maildir of it"); break;
      case delivery::MailstoreCondition::maildir: good("mailstore", path + " is a Maildir, new mail is added to it"); break;
      case delivery::MailstoreCondition::ours: good("mailstore", path + " is a Maildir that this state fills already"); break;
      case delivery::MailstoreCondition::foreign:
      case delivery::MailstoreCondition::other: break;  // refused above
    }
  }

  // The Maildir remembers the account, and the state does not.
  [[nodiscard]] bool is_lost(const delivery::MailstoreId::Account& line, const delivery::Inspection& found) const {
    if (stored_ || (store_ != nullptr && store_->account(line.id))) return false;
    return sync::is_remembered_as(line, found.accounts, sync::configured_mailstore(sync_settings(account_)).account);
  }

  void mbox(const sync::MailstoreTarget& target, bool used) {
    delivery::refuse_unsafe(real_fs(), target.path);
    const delivery::MboxCondition found = delivery::inspect_mbox(real_fs(), target.path);
    delivery::refuse_unsuitable(target.path, found);
    if (!used) {
      sync::refuse_lost_mbox(store_, real_fs(), row(), target.path);
      sync::refuse_foreign_mail(store_, real_fs(), row(), target);
    }
    if (found == delivery::MboxCondition::no_folder || found == delivery::MboxCondition::absent) need_makeable(folder_of(target.path));
    const std::string path = escaped(target.path);
    switch (found) {
      case delivery::MboxCondition::no_folder: good("mailstore", path + " and its folder do not exist yet, the first sync makes them"); break;
      case delivery::MboxCondition::absent:
        good("mailstore", path + " does not exist" + (used ? " at present" : " yet") + ", the next message makes it");
        break;
      case delivery::MboxCondition::empty: good("mailstore", path + " is empty"); break;
      case delivery::MboxCondition::mbox:
        good("mailstore", path + (used ? " is the mbox used before" : " is an mbox, new mail is added to it"));
        break;
      case delivery::MboxCondition::other: break;  // refused above
    }
    locks(target);
  }

  void locks(const sync::MailstoreTarget& target) {
    std::string taken = "fcntl";
    if (target.mbox_locks.dot_lock && !delivery::dot_lock_possible(real_fs(), target.path)) {
      warn("locks", "its folder cannot be written, so there is no dot lock; fcntl alone keeps other programs out",
           "make sure that they lock with fcntl too, or put the mbox into a folder of your own");
      return;
    }
    if (target.mbox_locks.dot_lock) taken += ", then " + escaped(target.path) + ".lock";
    if (target.mbox_locks.flock) taken += ", then flock";
    good("locks", taken);
  }

  // Asks for no sync of a suspended one: a failure is told once, and recovery is to hear of it.
  void disk(sync::OpenMailstore& mailstore) {
    if (!mailstore.row.suspended.empty()) {
      throw Error(ErrorCode::io_error, "suspended: " + mailstore.row.suspended, sync::suspension_hint(account_.name));
    }
    sync::FreeSpace(real_fs(), store_->directory(), account_.min_free_space).need(&mailstore, 0);
    bool can_sync = true;
    sync::sync_or_suspend(*store_, *stored_, mailstore, [&] { can_sync = mailstore.can_sync(); });
    if (can_sync) return;
    if (account_.leave_on_server.kind != config::LeaveOnServer::Kind::keep) sync::refuse_undurable_deletion(*store_, *stored_, mailstore);
    warn("mailstore", "the file system of " + escaped(mailstore.row.path) + " cannot sync folders: a power cut may undo what was stored last",
         "the messages stay on the server, so nothing is lost for good; another file system is safer");
  }

  void authorities() {
    const net::TlsPolicy policy = sync_settings(account_).tls;
    if (policy.mode == net::TlsMode::none || policy.ca_file.empty()) return;
    const net::TlsContext usable(policy, net::server_name(account_.endpoint.host));
    good("tls", "the authorities in " + escaped(policy.ca_file) + " can be read");
  }

  void server() {
    with_session(program_, account_, store_, stop_, [this](sync::OpenSession& session) {
      const net::Pop3Client& client = *session.client;
      good("server", "logged in as " + escaped(account_.user) + " at " + account_.endpoint.host + ":" + std::to_string(account_.endpoint.port) +
                         ", " + session.transport->description());
      capabilities(client);
      maildrop(sync::list_maildrop(*session.client, sync_settings(account_)));
    });
  }

  void capabilities(const net::Pop3Client& client) {
    const pop3::Capabilities& found = client.capabilities();
    good("capabilities", std::string("PIPELINING ") + (found.pipelining ? "yes" : "no") + ", UIDL " + (found.uidl ? "yes" : "not announced") +
                             ", TOP " + (found.top ? "yes" : "not announced") +
                             (found.implementation.empty() ? "" : ", " + escaped(found.implementation)));
    if (found.login_delay) {
      warn("capabilities", "the server wants " + human_duration(*found.login_delay) + " between logins",
           *found.login_delay > sync::kLoginDelayMax ? "it is given " + human_duration(sync::kLoginDelayMax)
                                                     : "the interval is never shorter than that");
    }
    if (found.expire) {
      warn("capabilities", expire_text(static_cast<std::uint32_t>(found.expire->count())), "leave_on_server cannot change that");
    }
  }

  void maildrop(const net::MaildropListing& listing) {
    if (!listing.unique_ids) {
      warn("maildrop", "the server has no UIDL",
           "only leave_on_server = false works there, and a crash at the wrong moment may fetch a message twice");
      return;
    }
    const auto rows = stored_ ? store_->messages(stored_->id) : std::vector<state::MessageRow>{};
    const sync::FetchPlan plan = sync::plan_fetch(listing.entries, rows, {.leave = {}, .max_message_size = account_.max_message_size});
    good("maildrop", counted(listing.entries.size(), "message") + " there, " + std::to_string(plan.fetch.size()) + " to fetch (" +
                         human_octets(plan.octets) + "), " + std::to_string(plan.hold.size()) + " too big");
    if (listing.unusable_lines > 0)
      warn("maildrop", counted(listing.unusable_lines, "line") + " of the listing made no sense", "those messages are left alone");
    if (stored_ && stored_->equal_settlements >= state::kEqualSettlementsMax) {
      warn("maildrop", "the server's message sizes change although the messages do not",
           "messages are compared by content before anything is deleted");
    }
  }

  const Program& program_;
  const config::Account& account_;
  state::StateStore* store_;
  const StopSignal& stop_;
  std::optional<state::AccountRow> stored_;
  std::vector<Finding> findings_;
};

void print_text(const std::string& name, const std::vector<Finding>& findings, bool quiet) {
  for (const Finding& finding : findings) {
    if (quiet && finding.grade == Finding::Grade::good) continue;
    std::cout << name << ": " << finding.what << ": " << text_of(finding.grade) << ": " << finding.detail << '\n';
    if (!finding.hint.empty()) std::cout << "  " << finding.hint << '\n';
  }
}

Poco::JSON::Object::Ptr as_json(const std::string& name, const std::vector<Finding>& findings) {
  auto account = json_object();
  account->set("name", name);
  auto list = json_array();
  for (const Finding& finding : findings) {
    auto entry = json_object();
    entry->set("what", finding.what);
    entry->set("result", std::string(text_of(finding.grade)));
    entry->set("detail", finding.detail);
    entry->set("hint", finding.hint);
    entry->set("code", finding.code ? Poco::Dynamic::Var(std::string(name_of(*finding.code))) : Poco::Dynamic::Var());
    list->add(entry);
  }
  account->set("checks", list);
  return account;
}

std::vector<Finding> check(const Program& program, state::StateStore* store, const StopSignal& stop,
                           const std::vector<const config::Account*>& left) {
  try {
    return AccountCheck(program, *left.front(), store, stop).run();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::interrupted) throw;
    std::string names;
    for (const config::Account* account : left) names += (names.empty() ? "" : ", ") + account->name;
    throw Error(ErrorCode::interrupted, "check was stopped; not checked to the end: " + names);
  }
}

}  // namespace

int cmd_check(Program& program) {
  const auto store = state::StateStore::open_to_look(program.paths.state_dir);
  const StopOnSignal stop;
  auto accounts = json_array();
  int status = 0;
  for (auto left = program.chosen_accounts(); !left.empty(); left.erase(left.begin())) {
    const std::string& name = left.front()->name;
    const auto findings = check(program, store.get(), stop.signal(), left);
    for (const Finding& finding : findings) {
      if (finding.code) status = worse_exit_status(status, exit_status(*finding.code));
    }
    accounts->add(as_json(name, findings));
    if (!program.options.json) print_text(name, findings, program.options.verbosity < 0);
  }
  if (program.options.json) {
    auto answer = json_answer();
    answer->set("accounts", accounts);
    print_json(answer);
  }
  return status;
}

}  // namespace popsync
