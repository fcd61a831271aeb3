// SPDX-License-Identifier: MIT
#include "sync/adoption_session.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/format.h"
#include "base/log.h"
#include "base/random.h"
#include "delivery/maildir_reader.h"
#include "net/retrieval.h"
#include "state/transaction.h"
#include "sync/acceptance.h"
#include "sync/account_use.h"
#include "sync/adoption.h"
#include "sync/header_session.h"
#include "sync/id_file_lock.h"
#include "sync/relearning_session.h"
#include "sync/session_opening.h"

namespace popsync::sync {
namespace {

using delivery::FilePrints;

constexpr std::size_t kIdOctets = 16;

// Listed, and no row stands for it.
struct Unknown {
  std::vector<pop3::ListingEntry> entries;
  std::unordered_map<std::uint32_t, std::vector<state::RowId>> replaces;  // by message-number: held rows
};

class AdoptionSession {
 public:
  AdoptionSession(const SyncServices& services, const SyncRequest& request)
      : services_(services), request_(request), settings_(request.settings), use_(use_account(services, request)) {}

  Adoption run() {
    refuse_unsuitable();
    const net::MaildropListing listing = ask_server();
    const std::vector<Found> files = read_files();
    record(files);
    take_maildir();
    result_.listed = listing.entries.size();
    result_.to_fetch = count_to_fetch(services_, settings_, use_.account, listing);
    return result_;
  }

 private:
  struct Found {
    std::string name;
    FilePrints prints;
  };

  // Before the server is asked for anything.
  void refuse_unsuitable() {
    const std::string path = escaped(settings_.mailstore.path);
    if (settings_.mailstore.kind != state::MailstoreKind::maildir) {
      throw Error(ErrorCode::usage, "adopt works on a Maildir, and " + path + " is an mbox",
                  "`popsync seed " + settings_.name + "` takes all that is on the server for known, without looking at the mbox");
    }
    const delivery::Inspection found = delivery::inspect(services_.fs, settings_.mailstore.path, services_.store.install_key());
    if (found.condition == delivery::MailstoreCondition::absent || found.condition == delivery::MailstoreCondition::empty) {
      throw Error(ErrorCode::mailstore_unavailable, "there is no Maildir at " + path + ", so there is nothing to adopt",
                  "`popsync sync " + settings_.name + "` makes it and fetches");
    }
    if (found.condition != delivery::MailstoreCondition::foreign) return delivery::refuse_unsuitable(settings_.mailstore.path, found, settings_.name);
    for (const delivery::MailstoreId::Account& each : found.accounts) {
      if (!delivery::in_use(services_.fs, settings_.mailstore.path, found.install_key, each.id)) continue;
      throw Error(ErrorCode::mailstore_foreign, "the Maildir " + path + " is being filled at this moment by a popsync with another state directory",
                  "use that one (--state-dir DIR), or stop it first");
    }
  }

  // Everything for which the connection is needed; the files are read after its end, because that may take long.
  net::MaildropListing ask_server() {
    OpenSession session = open_session(settings_, request_.secret, services_.clock, request_.stop, request_.trace);
    net::MaildropListing listing = list_maildrop(*session.client, settings_);
    require_unique_ids(listing, settings_.name);
    open_known(listing);
    find_unknown(listing);
    ask_headers(*session.client);
    close_session(*session.client, settings_);
    return listing;
  }

  // A Maildir that popsync has filled for this account, with all that its file names tell. Any other is taken into use with what is found in it.
  void open_known(const net::MaildropListing& listing) {
    const auto rows = services_.store.mailstores(use_.account.id);
    const auto row = std::ranges::find(rows, settings_.mailstore.path, &state::MailstoreRow::path);
    const delivery::Inspection found = delivery::inspect(services_.fs, settings_.mailstore.path, services_.store.install_key());
    const bool ours = found.condition == delivery::MailstoreCondition::ours;
    if (row != rows.end()) row_ = *row;
    store_id_ = found.id.empty() ? to_hex(random_octets(kIdOctets)) : found.id;
    const bool known =
        row_ ? ours && found.id == row_->store_id && is_taken() : is_remembered(services_.store, services_.fs, use_.account, settings_.mailstore);
    if (!known) return;
    mailstore_.emplace(open_mailstore(services_.store, services_.fs, use_.account, settings_.mailstore));
    take_into_use(services_.store, services_.fs, use_.account, *mailstore_);
    row_ = mailstore_->row;
    result_.relearnt =
        relearn({.store = services_.store, .fs = services_.fs, .clock = services_.clock, .account = use_.account, .mailstore = *mailstore_}, listing)
            .here;
  }

  // False if an adoption was killed before take_maildir() was through.
  bool is_taken() {
    OpenMailstore opened = open_as_it_is(services_.store, services_.fs, use_.account, *row_, settings_.mailstore);
    return opened.staging().generation().has_value();
  }

  void find_unknown(const net::MaildropListing& listing) {
    const FetchPlan plan = plan_fetch(listing.entries, services_.store.messages(use_.account.id), {.leave = {}, .max_message_size = UINT64_MAX});
    for (const Fetch& fetch : plan.fetch) {
      if (!fetch.candidates.empty()) continue;  // a known message in doubt: the next sync looks at its content
      unknown_.entries.push_back(fetch.entry);
      unknown_.replaces[fetch.entry.number.value] = fetch.replaces;
    }
  }

  void ask_headers(net::Pop3Client& client) {
    if (unknown_.entries.empty()) return;
    state::AccountRow learnt = use_.account;
    const net::Marker marker = net::learn_marker(client.connection(), unknown_.entries.front());
    const HeaderQuestion question{.client = client, .account = learnt, .marker = marker, .now = services_.clock.wall()};
    ask_for_headers(question, unknown_.entries, unknown_.entries.size(), headers_);
    for (const ListedHeader& header : headers_) hashes_.insert(header.header_hash);
    if (hashes_.size() > 1 || !hashes_.contains("")) return;
    throw Error(ErrorCode::server_permanent, "the server gives no headers (TOP), so its messages cannot be compared with those in the Maildir",
                "`popsync seed " + settings_.name + "` takes all that is there for known, `popsync sync " + settings_.name + "` fetches all of it");
  }

  // Those that no row names and that have the header of an unknown message, whole and durable: the server's copy may be deleted in their favour.
  std::vector<Found> read_files() {
    std::unordered_set<std::string> claimed;
    for (state::FileRow& row : services_.store.files_at(settings_.mailstore.path)) claimed.insert(std::move(row.name));
    std::vector<Found> found;
    auto reader = delivery::MaildirReader::open(services_.fs, settings_.mailstore.path);
    if (!reader) return found;
    for (const std::string& name : reader->names()) {
      if (claimed.contains(name)) continue;
      if (request_.stop.stopped()) throw Error(ErrorCode::interrupted, "stopped while reading the Maildir; nothing was recorded");
      const auto header = reader->header_of(name);
      if (!header) continue;
      ++result_.files;
      if (!hashes_.contains(header->prints.header_hash)) continue;
      if (auto whole = reader->read_durably(name)) found.push_back({.name = name, .prints = std::move(*whole)});
    }
    if (!found.empty()) reader->sync();
    return found;
  }

  void record(const std::vector<Found>& files) {
    std::vector<FileHeader> candidates;
    for (const Found& file : files) {
      candidates.push_back({.header_hash = file.prints.prints.header_hash,
                            .has_message_id = file.prints.prints.has_message_id,
                            .wire_octets = file.prints.wire_octets,
                            .stored_size = file.prints.prints.stored_size});
    }
    auto transaction = services_.store.begin();
    if (!row_) {
      row_ = state::MailstoreRow{.path = settings_.mailstore.path, .store_id = store_id_};
      row_->id = transaction.insert_mailstore(use_.account.id, row_->path, row_->store_id);
    }
    for (const Adopted& pair : pair_with_files(headers_, candidates)) {
      record_one(transaction, headers_[pair.header].entry, files[pair.file], pair.removable);
    }
    transaction.commit();
  }

  // After the commit: killed in between, a sync stops at this Maildir, which is not its own yet, in place of fetching all that was just found;
  // adopting it again finishes it.
  void take_maildir() {
    if (mailstore_) return;
    const std::string& path = settings_.mailstore.path;
    {
      const auto lock = lock_id_file(services_.store, services_.fs, path);
      const delivery::Inspection found = delivery::inspect(services_.fs, path, services_.store.install_key());
      if (found.condition != delivery::MailstoreCondition::ours) delivery::take_over(services_.fs, path, services_.store.install_key(), store_id_);
      if (found.condition == delivery::MailstoreCondition::foreign) {
        log_warning(settings_.name, "the Maildir " + escaped(path) + " was filled by another popsync state; it belongs to this one from now on");
      }
    }
    (void)accept_mailstore(services_.store, services_.fs, use_.account, settings_.mailstore);
  }

  // Its age counts from now: the file's own time may be anything, and what is deleted too late does no harm.
  void record_one(state::Transaction& transaction, const pop3::ListingEntry& entry, const Found& file, bool removable) {
    for (const state::RowId held : unknown_.replaces[entry.number.value]) transaction.erase_message(held);
    const delivery::Prints& prints = file.prints.prints;
    transaction.insert_found({.account = use_.account.id,
                              .mailstore = row_->id,
                              .uid = entry.uid,
                              .list_size = entry.list_size,
                              .prints = {.wire_octets = file.prints.wire_octets,
                                         .stored_size = prints.stored_size,
                                         .sha256 = prints.sha256,
                                         .fingerprint = prints.fingerprint,
                                         .header_hash = prints.header_hash,
                                         .has_message_id = prints.has_message_id},
                              .name = file.name,
                              .at = services_.clock.reading()},
                             removable);
    ++result_.adopted;
    if (!removable) ++result_.doubtful;
  }

  const SyncServices& services_;
  const SyncRequest& request_;
  const AccountSettings& settings_;
  AccountUse use_;
  std::optional<OpenMailstore> mailstore_;  // filled by popsync before
  std::optional<state::MailstoreRow> row_;  // the same, or one to be
  std::string store_id_;
  Unknown unknown_;
  std::vector<ListedHeader> headers_;  // of the unknown messages
  std::unordered_set<std::string> hashes_;
  Adoption result_;
};

}  // namespace

Adoption adopt_account(const SyncServices& services, const SyncRequest& request) { return AdoptionSession(services, request).run(); }

}  // namespace popsync::sync
