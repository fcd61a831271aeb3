// SPDX-License-Identifier: MIT
// What the database holds, as plain values. See docs/durability.md for the meaning of the row states.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "pop3/types.h"

namespace popsync::state {

using RowId = std::int64_t;

using ClockId = std::int64_t;

// A clock that times in the state were taken by. A new one begins at another boot, another verdict (synchronised or not), or a step of more than
// kClockStep; rows are never rewritten for it (docs/durability.md).
struct ClockRow {
  ClockId id = 0;
  std::string boot_id;
  std::chrono::seconds offset{};  // wall clock minus boot clock, by which its rows were written
  bool synchronised = false;
  std::optional<std::chrono::seconds> true_offset{};  // the same while the clock of that boot was synchronised; empty: it never was
  std::chrono::seconds first_session{};               // of this boot without another one between, on the boot clock
  WallTime since{};                                   // since when the clock has been so: synchronised or not
  std::optional<WallTime> begins{};                   // nothing tells how old its rows are: they count from here, by ...
  ClockId begins_clock = 0;                           // ... this clock
};

// Of more clocks than this, those that no row names are dropped when a new one begins: that look costs a pass over all rows.
constexpr std::size_t kClocksKept = 1000;

// Was this read from the clock of that row?
bool is_clock_of(const ClockRow& clock, const ClockReading& now);
// The row that the clock is to have if it is not the newest one's.
ClockRow clock_behind(const std::optional<ClockRow>& newest, const ClockReading& now);

// The time of an event, with the clock that tells what it is worth.
struct TakenTime {
  WallTime wall{};
  ClockId clock = 0;
};

enum class RowState {
  staged = 0,     // the intent: a whole, synced file is in staging, and may be in new/ already
  published = 1,  // renamed into new/, synced, recorded
  seen = 2,       // known without being stored by us (seed)
  held = 3,       // set aside, with a reason
  skipped = 4,    // given up for good by the operator
};

// May the message behind a row have been replaced by another one under the same unique-id? Then it counts as known only once its content was
// confirmed (docs/durability.md, "UIDL is not a key"). Only rows with prints are ever in doubt: nothing could confirm the others.
enum class Doubt {
  none = 0,
  outage = 1,   // an empty listing, or one short by half, did not show it, or the account has another user: a sample may speak for it
  sample = 2,   // the same, and it was drawn for a sample
  vouched = 3,  // the same, and it was listed when a sample was drawn, which speaks for it
  own = 4,      // a DELE of ours, or a credible listing that did not show it: confirmed itself, whatever a sample says
};

// What identifies a stored message; empty strings where we never stored one.
struct StoredPrints {
  std::uint64_t wire_octets = 0;
  std::uint64_t stored_size = 0;
  std::string sha256;
  std::string fingerprint;
  std::string header_hash;
  bool has_message_id = false;
};

// One message of one account, as the plan needs it: a listing of 100,000 must not cost the prints of 100,000.
struct MessageRow {
  RowId id = 0;
  RowState state = RowState::published;
  pop3::UniqueId uid;
  std::optional<std::uint64_t> list_size;
  bool removable = false;                             // may be deleted on the server
  bool suspect = false;                               // shorter than announced
  WallTime stored_at{};                               // of a held message without unique-id: when it was last tried
  ClockId stored_clock = 0;                           // by which stored_at was taken
  std::optional<WallTime> absent_since;               // missing from complete listings since then
  std::optional<std::uint64_t> absent_since_listing;  // the account's count of complete listings at that time
  ClockId absent_clock = 0;                           // by which absent_since was taken
  std::uint32_t deletions = 0;                        // confirmed by +OK to QUIT, each time it came back
  std::uint32_t tries = 0;                            // of a held message
  bool dele_sent = false;                             // in a session that went on to QUIT, whatever came of it
  bool has_message_id = false;                        // of the message that we stored
  bool top_broke = false;                             // a session ended over its TOP: its content is asked for by RETR
  Doubt doubt = Doubt::none;
};

enum class MailstoreKind { maildir = 0, mbox = 1 };

// Where in an mbox an entry was about to be written: committed before it is.
struct EntryPlace {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string sha256;
};

// A row with what recovery needs.
struct StagedRow {
  RowId id = 0;
  RowId mailstore = 0;
  std::string name;
  std::uint64_t stored_size = 0;
  std::string sha256;
  bool suspect = false;
  EntryPlace entry = {};  // in an mbox
};

// What a message's header says of it, for matching messages whose unique-ids have all changed.
struct HeaderPrint {
  RowId row = 0;
  std::string header_hash;
};

struct HeldRow {
  RowId id = 0;
  pop3::UniqueId uid;
  std::string reason;
  std::uint32_t tries = 0;
  std::optional<std::uint64_t> list_size;
};

// A published row, for verify.
struct PublishedRow {
  RowId id = 0;
  RowId mailstore = 0;
  pop3::UniqueId uid;
  std::string name;
  bool unverified = false;
};

// A row that names a file: published, staged, or found there.
struct FileRow {
  RowId id = 0;
  RowId mailstore = 0;
  std::string name;
  bool removable = false;
};

struct Unlearned {
  std::int64_t mark = 0;  // StagingFolder::unlearned_since(): another mark has another
  TakenTime met{};        // by the first session
};

struct MailstoreRow {
  RowId id = 0;
  std::string path;
  std::string store_id;  // of a Maildir
  std::uint64_t generation = 0;
  MailstoreKind kind = MailstoreKind::maildir;
  std::string suspended = {};               // why nothing is fetched into it, empty if something may be: its disk failed to sync
  std::uint32_t sync_failures = 0;          // sessions in a row in which a message could not be synced
  std::optional<Unlearned> unlearned = {};  // the last mark of a lost state that a session met in it
};

// An account whose file system does not answer the daemon. By name: it may have no row yet, because that is where it would be looked up.
struct UnansweredRow {
  WallTime since{};
  std::string path;
};

struct LastError {
  WallTime at{};
  std::string code;
  std::string message;
  std::string hint;
};

// What a planned time without a delay of its own may be ahead at most: the longest that popsync 0.1.0 planned for an ordinary interval.
constexpr std::chrono::hours kDelayUntold{24};

// What is told about an account beside its messages; losing a minute of it does no harm.
struct AccountRow {
  std::string id;  // 16 hex digits
  std::string name;
  std::string host;
  std::string user;
  std::uint16_t port = 0;  // 0: as popsync 0.1.0 left it
  std::optional<WallTime> last_attempt;
  std::optional<WallTime> last_success;
  std::uint32_t consecutive_failures = 0;
  std::optional<LastError> last_error;
  std::optional<WallTime> next_sync;
  std::chrono::seconds next_sync_delay{};  // so far ahead it was when it was planned; 0: by popsync 0.1.0, which did not tell
  bool needs_operator = false;
  bool secret_worked = false;
  std::uint64_t delivered_total = 0;
  std::uint64_t octets_total = 0;
  std::uint64_t complete_listings = 0;            // counts up while messages are missing
  std::uint64_t last_listing_count = 0;           // messages in the last complete listing that was not empty
  std::uint32_t equal_settlements = 0;            // sizes changed while the message did not
  std::uint32_t rekeyings = 0;                    // sessions in which all unique-ids had changed, without a quiet one between
  std::uint32_t top_breaks = 0;                   // sessions in a row that ended over TOP
  std::uint32_t top_differences = 0;              // messages that were the same by RETR and not by TOP
  std::optional<WallTime> top_off_since = {};     // since then the server is not asked for headers (sync/top_use.h)
  std::uint32_t surprises = 0;                    // sessions in a row in which commands were sent ahead and the answers fell out of step
  std::optional<std::uint32_t> expire_days = {};  // CAPA EXPIRE: the server deletes by itself; 0: what was retrieved
  std::chrono::seconds login_delay{};             // CAPA LOGIN-DELAY at the last login; 0: none
  std::optional<WallTime> last_login = {};        // accepted by the server, to the full second behind it; only where there is a LOGIN-DELAY
  std::uint32_t refusals = 0;                     // logins refused since one was accepted, with what tried_with stands for
  std::string tried_with = {};                    // stands for configuration and secret of the last failure
  std::string marker;                             // net::Marker learnt from this server
  std::string policy;                             // leave_on_server at the last session
};

// Of the times of an account that lie further ahead of now than they can the latest, if there is one.
std::optional<WallTime> latest_time_ahead(const AccountRow& account, WallTime now);

// After this many settlements with equal content the server's sizes say nothing (durability: size_unstable).
constexpr std::uint32_t kEqualSettlementsMax = 3;

}  // namespace popsync::state
